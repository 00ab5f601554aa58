/**
 * Files that others write: opened for reading, watched by inotify (through the folder, so that renames are seen).
 *
 * The agent runs as root and the writer may not: a link would have it read what the writer can't, a FIFO would have it
 * wait for ever.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  watch,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { FleetbanError } from "@fleetban/kit/errors";
import type { SourceFile, SourceFiles } from "../sources/follow/files.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const COMPRESSED = /\.(gz|xz|bz2|zst)$/;

export const sourceFiles: SourceFiles = {
  open(path) {
    const descriptor = unlessAbsent(() => openFile(path));
    return descriptor === undefined ? undefined : sourceFile(descriptor);
  },
  inodeOf: (path) => lstatSync(path, { throwIfNoEntry: false })?.ino,
  changedAtMs: (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs,
  rotatedOf(path) {
    const name = basename(path);
    const names = unlessAbsent(() => readdirSync(dirname(path))) ?? [];
    const isRotated = (other: string) => /^[.-]/.test(other.slice(name.length)) && !COMPRESSED.test(other);
    return names
      .filter((other) => other.startsWith(name) && isRotated(other))
      .map((other) => join(dirname(path), other))
      .flatMap((other) => {
        const stats = lstatSync(other, { throwIfNoEntry: false });
        return stats?.isFile() === true ? [{ other, mtimeMs: stats.mtimeMs }] : [];
      })
      .sort((a, b) => a.mtimeMs - b.mtimeMs)
      .map(({ other }) => other);
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  watch(path, onChange) {
    const folder = dirname(path);
    const folderInode = statSync(folder).ino;
    const watcher = watch(folder, (_, name) => {
      if (name === null || name.startsWith(basename(path))) onChange();
    });
    watcher.on("error", onChange); // the look that follows finds out what is wrong
    return { folderInode, close: () => watcher.close() };
  },
};

/** Codes: `source-not-a-file`. */
class SourceFileError extends FleetbanError {}

function openFile(path: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ELOOP") throw notAFile(path, "a symbolic link");
    throw error;
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw notAFile(path, "no regular file");
}

function notAFile(path: string, what: string): SourceFileError {
  return new SourceFileError("source-not-a-file", `${path}: is ${what}; it is not read`, {
    hint: "remove it, or name the file itself in agent.yaml; the next look takes what is there then",
  });
}

function sourceFile(descriptor: number): SourceFile {
  return {
    inode: fstatSync(descriptor).ino,
    stat() {
      const { size, mtimeMs } = fstatSync(descriptor);
      return { size, changedAtMs: mtimeMs };
    },
    read(offset, maxBytes) {
      const buffer = Buffer.allocUnsafe(maxBytes);
      return buffer.subarray(0, readSync(descriptor, buffer, 0, maxBytes, offset));
    },
    close: () => closeSync(descriptor),
  };
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
