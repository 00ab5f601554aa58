/**
 * What the segments don't say: acknowledgements, positions that no sighting carries, what was lost.
 *
 * Written lazily. An older one costs work, never truth: what is acknowledged is sent again and skipped by the ledger,
 * what was read is read again and known. `through` says which records it already accounts for.
 */
import type { SourcePosition } from "./source-position.ts";

export interface Checkpoint {
  /** Highest acknowledged number of each incarnation. */
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly positions: readonly SourcePosition[];
  /** Records of earlier segments, and of this one up to that size, are older than `positions`. */
  readonly through: { readonly segment: number; readonly bytes: number };
  /** Sightings lost unacknowledged, ever. */
  readonly lost: number;
  /** Of sightings recorded before this moment some may be forgotten; 0 = none ever. */
  readonly forgottenBeforeMs: number;
}

const VERSION = 1;

export const NO_CHECKPOINT: Checkpoint = {
  acknowledged: new Map(),
  positions: [],
  through: { segment: 0, bytes: 0 },
  lost: 0,
  forgottenBeforeMs: 0,
};

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const acknowledged = Object.fromEntries(checkpoint.acknowledged);
  return Buffer.from(`${JSON.stringify({ version: VERSION, ...checkpoint, acknowledged })}\n`);
}

/** `undefined` when it can't be read. */
export function decodeCheckpoint(bytes: Buffer): Checkpoint | undefined {
  try {
    const plain = JSON.parse(bytes.toString());
    if (plain.version !== VERSION) return undefined;
    const { positions, through, lost, forgottenBeforeMs } = plain;
    const isWhole =
      Array.isArray(positions) && [through?.segment, through?.bytes, lost, forgottenBeforeMs].every(Number.isFinite);
    if (!isWhole) return undefined;
    return {
      acknowledged: new Map(Object.entries<number>(plain.acknowledged)),
      positions,
      through,
      lost,
      forgottenBeforeMs,
    };
  } catch {
    return undefined;
  }
}
