/** The spool's folder as a part that is handed in. Names are file names without a folder. */

export interface SpoolFiles {
  /** Makes the folder if need be. */
  list(): Promise<readonly string[]>;
  read(name: string, offset?: number, length?: number): Promise<Buffer>;
  /** A new file, its name durable. Fails when it is there already. */
  create(name: string): Promise<AppendFile>;
  /** The whole file or, after a crash, the one before: never a part. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
  /** Absent is fine. */
  remove(name: string): Promise<void>;
}

export interface AppendFile {
  /** Resolves when the bytes are durable. After a failure any part of them may be in the file. */
  append(offset: number, bytes: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}
