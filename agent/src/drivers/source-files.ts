/** Files that others write: opened for reading, watched by inotify (through the folder, so that renames are seen). */
import { closeSync, fstatSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SourceFile, SourceFiles } from "../sources/follow/files.ts";

const COMPRESSED = /\.(gz|xz|bz2|zst)$/;

export const sourceFiles: SourceFiles = {
  open(path) {
    const descriptor = unlessAbsent(() => openSync(path, "r"));
    return descriptor === undefined ? undefined : sourceFile(descriptor);
  },
  inodeOf: (path) => statSync(path, { throwIfNoEntry: false })?.ino,
  rotatedOf(path) {
    const name = basename(path);
    const names = unlessAbsent(() => readdirSync(dirname(path))) ?? [];
    const isRotated = (other: string) => /^[.-]/.test(other.slice(name.length)) && !COMPRESSED.test(other);
    return names
      .filter((other) => other.startsWith(name) && isRotated(other))
      .map((other) => join(dirname(path), other))
      .map((other) => ({ other, mtimeMs: statSync(other, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
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
