/**
 * Appends to the newest segment file, and begins another when it is large enough or can't be trusted any more.
 *
 * One write, durable when it returns. A failed one is cut off again; where even that fails the file is left as it is
 * and never written again, because what lies behind the last promised record is unknown.
 */
import type { AppendFile, SpoolFiles } from "./files.ts";
import { segmentName } from "./segment-name.ts";
import { SpoolError } from "./spool-error.ts";

/** A failed write may yet turn out to be in the file: its sequence numbers are not used again. */
export class UncertainWriteError extends SpoolError {}

export interface WrittenAt {
  readonly segment: number;
  readonly name: string;
  readonly offset: number;
}

export interface SegmentWriter {
  write(bytes: Uint8Array): Promise<WrittenAt>;
  /** The next write begins a new segment with a number above this one. */
  startAfter(segment: number): Promise<void>;
  readonly current: { readonly segment: number; readonly bytes: number } | undefined;
}

export function createSegmentWriter(files: SpoolFiles, lastSegment: number, segmentBytes: number): SegmentWriter {
  let number = lastSegment;
  let current: { readonly file: AppendFile; bytes: number } | undefined;

  async function leave(): Promise<void> {
    const file = current?.file;
    current = undefined;
    await file?.close().catch(() => undefined); // nothing in it is unsynced
  }

  async function begin(): Promise<{ readonly file: AppendFile; bytes: number }> {
    number += 1;
    try {
      current = { file: await files.create(segmentName(number)), bytes: 0 };
      return current;
    } catch (cause) {
      throw unwritable(cause);
    }
  }

  async function cutOff(segment: { readonly file: AppendFile; bytes: number }, cause: unknown): Promise<never> {
    try {
      await segment.file.truncate(segment.bytes);
    } catch {
      await leave();
      throw new UncertainWriteError("spool-unwritable", messageOf(cause), { cause });
    }
    throw unwritable(cause);
  }

  return {
    async write(bytes) {
      if (current !== undefined && current.bytes > 0 && current.bytes + bytes.length > segmentBytes) await leave();
      const segment = current ?? (await begin());
      const offset = segment.bytes;
      try {
        await segment.file.append(offset, bytes);
      } catch (cause) {
        await cutOff(segment, cause);
      }
      segment.bytes += bytes.length;
      return { segment: number, name: segmentName(number), offset };
    },
    async startAfter(segment) {
      await leave();
      number = Math.max(number, segment);
    },
    get current() {
      return current && { segment: number, bytes: current.bytes };
    },
  };
}

function unwritable(cause: unknown): SpoolError {
  return new SpoolError("spool-unwritable", messageOf(cause), { cause });
}

function messageOf(cause: unknown): string {
  const why = cause instanceof Error ? cause.message : String(cause);
  return `the spool can't be written: ${why}; make room on the disk of the data directory, or mend it`;
}
