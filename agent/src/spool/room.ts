/**
 * Keeps the spool within its bytes: acknowledged segments go first, but for the newest megabyte of them; when all is
 * unacknowledged the oldest segment is dropped, counted and told.
 */

import { type Held, totalBytes } from "./held.ts";
import { saveCheckpoint } from "./save-checkpoint.ts";

const KEPT_ACKNOWLEDGED_BYTES = 1 << 20;

/** Before `bytes` more are written. */
export async function makeRoom(held: Held, bytes: number): Promise<void> {
  while (totalBytes(held) + bytes > held.maxBytes && held.segments.size > 0) {
    const [oldest] = held.segments.keys();
    if (oldest === undefined) return;
    if (oldest === held.writer.current?.segment) await held.writer.startAfter(oldest);
    await removeSegment(held, oldest);
  }
}

/** Removes what is acknowledged and old enough not to be asked for. */
export async function removeAcknowledged(
  held: Held,
  keptBytes = Math.min(KEPT_ACKNOWLEDGED_BYTES, held.maxBytes / 4),
): Promise<void> {
  let acknowledgedBytes = 0;
  for (const [segment, { bytes }] of held.segments) if (isDone(held, segment)) acknowledgedBytes += bytes;
  for (const [segment, { bytes }] of [...held.segments]) {
    if (acknowledgedBytes <= keptBytes || !isDone(held, segment)) return;
    await removeSegment(held, segment);
    acknowledgedBytes -= bytes;
  }
}

async function removeSegment(held: Held, segment: number): Promise<void> {
  const { name, bytes } = held.segments.get(segment) ?? { name: "", bytes: 0 };
  const gone = held.index.forget(segment);
  held.segments.delete(segment);
  held.lost += gone.unacknowledged + gone.gaps;
  held.forgottenBeforeMs = Math.max(held.forgottenBeforeMs, gone.newestMs);
  if (gone.unacknowledged > 0) {
    held.parts.log.error("spool.sightings_dropped", { sightings: gone.unacknowledged, bytes, maxBytes: held.maxBytes });
  }
  // First the checkpoint: the segment may be the only one that says how far a source was read.
  await saveCheckpoint(held);
  await held.parts.files.remove(name);
}

function isDone(held: Held, segment: number): boolean {
  return segment !== held.writer.current?.segment && held.index.isAcknowledged(segment);
}
