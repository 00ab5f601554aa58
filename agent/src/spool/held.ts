/** What an open spool holds; shared by the files of this room, changed by one of them at a time. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { SpoolFiles } from "./files.ts";
import type { SegmentWriter } from "./segment-writer.ts";
import type { SourcePosition } from "./source-position.ts";
import type { SpoolIndex } from "./spool-index.ts";

export interface SpoolParts {
  readonly files: SpoolFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Held {
  readonly parts: SpoolParts;
  maxBytes: number;
  readonly writer: SegmentWriter;
  index: SpoolIndex;
  /** By number, in order. */
  readonly segments: Map<number, { readonly name: string; bytes: number }>;
  readonly positions: Map<string, SourcePosition>;
  /** Sources whose position is newer than what the segments say. */
  readonly noted: Set<string>;
  /** 32 hexadecimal digits, of what is written from now on. */
  incarnation: string;
  nextSeq: number;
  /** Unacknowledged and gone with their segment, ever. */
  lost: number;
  forgottenBeforeMs: number;
}

const INCARNATION_BYTES = 16;

export function drawIncarnation(random: Random): string {
  return Buffer.from(random.bytes(INCARNATION_BYTES)).toString("hex");
}

export function totalBytes(held: Held): number {
  let total = 0;
  for (const { bytes } of held.segments.values()) total += bytes;
  return total;
}
