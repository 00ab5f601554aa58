/** Makes a batch of sightings durable with one write: afterwards all of it counts, or none of it. */
import type { Sighting } from "@fleetban/proto/model/sighting";
import type { Held } from "./held.ts";
import { encodeRecord, type SpoolRecord } from "./record.ts";
import { makeRoom } from "./room.ts";
import { UncertainWriteError, type WrittenAt } from "./segment-writer.ts";
import type { SourcePosition } from "./source-position.ts";

export interface SpoolEntry {
  readonly sighting: Sighting;
  /** Up to which its source is accounted for; absent for a source that can't be read again. */
  readonly position: SourcePosition | undefined;
}

/** Returns the first one's sequence number. */
export async function writeBatch(held: Held, entries: readonly SpoolEntry[]): Promise<number> {
  const { incarnation, nextSeq: firstSeq } = held;
  const notes = [...held.noted]
    .map((source) => held.positions.get(source))
    .filter((position) => position !== undefined);
  const head: SpoolRecord[] = notes.length > 0 ? [{ kind: "positions", positions: notes }] : [];
  const records = entries.map(
    ({ sighting, position }, at): SpoolRecord => ({
      kind: "sighting",
      incarnation,
      seq: firstSeq + at,
      sighting,
      position,
    }),
  );
  const parts = [...head, ...records].map(encodeRecord);
  const bytes = Buffer.concat(parts);
  await makeRoom(held, bytes.length);
  const at = await write(held, bytes, entries.length);
  let offset = at.offset + parts.slice(0, head.length).reduce((sum, part) => sum + part.length, 0);
  for (const [number, { sighting, position }] of entries.entries()) {
    const size = parts[head.length + number]?.length ?? 0;
    const point = { incarnation, seq: firstSeq + number };
    held.index.add(point, { segment: at.segment, offset, bytes: size }, sighting.recordedAtMs);
    if (position !== undefined) held.positions.set(position.source, position);
    offset += size;
  }
  for (const { source } of notes) held.noted.delete(source);
  held.nextSeq = firstSeq + entries.length;
  return firstSeq;
}

async function write(held: Held, bytes: Buffer, sightings: number): Promise<WrittenAt> {
  try {
    const at = await held.writer.write(bytes);
    const size = held.segments.get(at.segment)?.bytes ?? 0;
    held.segments.set(at.segment, { name: at.name, bytes: size + bytes.length });
    return at;
  } catch (error) {
    if (error instanceof UncertainWriteError) held.nextSeq += sightings;
    throw error;
  }
}
