/** A folder in memory that files are appended to, renamed and cut in; a change is told at once, as inotify does. */
import type { SourceFile, SourceFiles } from "./files.ts";

export interface MemoryFolder {
  readonly files: SourceFiles;
  append(path: string, bytes: Uint8Array | string): void;
  rename(from: string, to: string): void;
  /** To nothing, in place. */
  cut(path: string): void;
  names(): readonly string[];
  /** Lets changes pass unnoticed. */
  isDeaf: boolean;
}

interface Inode {
  readonly number: number;
  bytes: Buffer;
  changedAtMs: number;
}

export function memoryFolder(nowMs: () => number): MemoryFolder {
  const inodes = new Map<string, Inode>();
  const listeners = new Set<() => void>();
  let created = 0;
  const changed = () => {
    if (!folder.isDeaf) for (const listener of listeners) listener();
  };
  const folder: MemoryFolder = {
    isDeaf: false,
    names: () => [...inodes.keys()].sort(),
    append(path, bytes) {
      const inode = inodes.get(path) ?? { number: ++created, bytes: Buffer.alloc(0), changedAtMs: 0 };
      inode.bytes = Buffer.concat([inode.bytes, Buffer.from(bytes)]);
      inode.changedAtMs = nowMs();
      inodes.set(path, inode);
      changed();
    },
    rename(from, to) {
      const inode = inodes.get(from);
      if (inode === undefined) throw new Error(`${from}: no such file`);
      inodes.delete(from);
      inodes.set(to, inode);
      changed();
    },
    cut(path) {
      const inode = inodes.get(path);
      if (inode !== undefined) inode.bytes = Buffer.alloc(0);
      changed();
    },
    files: {
      open: (path) => openInode(inodes.get(path)),
      inodeOf: (path) => (path.endsWith("/") ? 1 : inodes.get(path)?.number),
      changedAtMs: (path) => inodes.get(path)?.changedAtMs,
      rotatedOf: (path) =>
        [...inodes.keys()]
          .filter((name) => name.startsWith(`${path}.`))
          .sort()
          .reverse(),
      rename: (from, to) => folder.rename(from, to),
      remove: (path) => void inodes.delete(path),
      watch(_path, onChange) {
        listeners.add(onChange);
        return { folderInode: 1, close: () => void listeners.delete(onChange) };
      },
    },
  };
  return folder;
}

function openInode(inode: Inode | undefined): SourceFile | undefined {
  if (inode === undefined) return undefined;
  return {
    inode: inode.number,
    stat: () => ({ size: inode.bytes.length, changedAtMs: inode.changedAtMs }),
    read: (offset, maxBytes) => Buffer.from(inode.bytes.subarray(offset, offset + maxBytes)),
    close: () => undefined,
  };
}
