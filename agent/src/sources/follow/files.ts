/** Files that somebody else writes, as a part that is handed in. Reads are short and from the page cache: synchronous. */

export interface SourceFiles {
  /** `undefined` when it is absent. */
  open(path: string): SourceFile | undefined;
  /** Inode of the file there now; `undefined` when it is absent. */
  inodeOf(path: string): number | undefined;
  /** When it was written last; `undefined` when it is absent. */
  changedAtMs(path: string): number | undefined;
  /** Rotated files beside `path`, uncompressed, oldest first. */
  rotatedOf(path: string): readonly string[];
  rename(from: string, to: string): void;
  /** Absent is fine. */
  remove(path: string): void;
  /** Calls `onChange` when something happens to the file or its name. Throws when the folder is absent. */
  watch(path: string, onChange: () => void): FileWatch;
}

export interface SourceFile {
  readonly inode: number;
  stat(): { readonly size: number; readonly changedAtMs: number };
  /** Up to `maxBytes`; empty at the end. */
  read(offset: number, maxBytes: number): Buffer;
  close(): void;
}

export interface FileWatch {
  /** Of the folder that is watched: another one may have taken its name. */
  readonly folderInode: number;
  close(): void;
}
