/** Cuts the bytes of a file into records, whatever pieces they come in. */

export interface Framed<Record> {
  readonly record: Record;
  /** Offset in the file behind it: what comes next begins there. */
  readonly end: number;
}

export interface Framing<Record> {
  push(bytes: Buffer): readonly Framed<Record>[];
}

/** For a file read from `offset` on. */
export type StartFraming<Record> = (offset: number) => Framing<Record>;
