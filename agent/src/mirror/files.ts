/**
 * What the mirror and the firewall ask of a file system; the driver is `drivers/data-files.ts`.
 *
 * A path is relative to the agent's data directory. Absent is a value, everything else that fails throws.
 */

export interface AppendFile {
  /** In order, whole or not at all as far as this process can tell; what a crash tears is the reader's to see. */
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface Files {
  /** Names in a folder; none when there is no such folder. */
  names(folder: string): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array | undefined>;
  /** Whole or not at all, durable when it resolves. Pieces are written as they come. */
  writeWhole(path: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Opens at the end, or creates. Not durable by itself. */
  openAppend(path: string): Promise<AppendFile>;
  rename(from: string, to: string): Promise<void>;
  /** Absent is fine. */
  remove(path: string): Promise<void>;
}
