/** One open file that is being followed: how far it is read, and whether it still is what it was. */
import { identify, isSameFile } from "./file-identity.ts";
import type { SourceFile } from "./files.ts";
import type { Framed, Framing, StartFraming } from "./framing.ts";

const CHUNK_BYTES = 65_536;

export interface Tail<Record> {
  readonly file: SourceFile;
  path: string;
  framing: Framing<Record>;
  /** Read up to here. */
  offset: number;
  /** Accounted for up to here: what is between is a record not yet whole. */
  settled: number;
  identity: string;
  /** Since when its name belongs to another file or to none (monotonic); undefined = still its own. */
  replacedAtMs: number | undefined;
}

export interface Chunk<Record> {
  readonly records: readonly Framed<Record>[];
  /** None of it was written later than this (Unix milliseconds). */
  readonly writtenByMs: number;
}

export function startTail<Record>(
  file: SourceFile,
  path: string,
  offset: number,
  start: StartFraming<Record>,
): Tail<Record> {
  const identity = identify(file, offset);
  return { file, path, framing: start(offset), offset, settled: offset, identity, replacedAtMs: undefined };
}

/** From its first byte on. */
export function restart<Record>(tail: Tail<Record>, start: StartFraming<Record>): void {
  tail.offset = 0;
  tail.settled = 0;
  tail.framing = start(0);
  tail.identity = identify(tail.file, 0);
}

/** Cut to nothing and written anew, under the same inode. */
export function wasCut(tail: Tail<unknown>): boolean {
  return tail.file.stat().size < tail.offset || !isSameFile(tail.file, tail.identity);
}

/** `undefined` at the end of the file. */
export function readChunk<Record>(tail: Tail<Record>, nowMs: number): Chunk<Record> | undefined {
  const { size, changedAtMs } = tail.file.stat();
  if (size <= tail.offset) return undefined;
  const bytes = tail.file.read(tail.offset, Math.min(CHUNK_BYTES, size - tail.offset));
  if (bytes.length === 0) return undefined;
  const writtenByMs = Math.min(nowMs, changedAtMs);
  const records = tail.framing.push(bytes);
  tail.offset += bytes.length;
  tail.identity = identify(tail.file, tail.offset);
  return { records, writtenByMs };
}
