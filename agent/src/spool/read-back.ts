/** Reads sightings back from the segments for sending; those just appended come from memory. */
import type { Sighting } from "@fleetban/proto/model/sighting";
import type { Held } from "./held.ts";
import { readRecord } from "./record.ts";
import { placeIn, type Run, type SpoolPoint } from "./spool-index.ts";

const FRESH_MAX = 512;

export interface FreshSightings {
  put(point: SpoolPoint, sighting: Sighting): void;
  get(point: SpoolPoint): Sighting | undefined;
  clear(): void;
}

/** The newest few: a sighting is usually sent a moment after it was appended, without reading it back. */
export function createFreshSightings(): FreshSightings {
  const sightings = new Map<string, Sighting>();
  const keyOf = ({ incarnation, seq }: SpoolPoint) => `${incarnation}/${seq}`;
  return {
    put(point, sighting) {
      sightings.set(keyOf(point), sighting);
      if (sightings.size > FRESH_MAX) sightings.delete(sightings.keys().next().value as string);
    },
    get: (point) => sightings.get(keyOf(point)),
    clear: () => sightings.clear(),
  };
}

/** Records `from` to `to` (exclusive) of the run, up to the first that can't be read any more. */
export async function readRun(
  held: Held,
  fresh: FreshSightings,
  run: Run,
  from: number,
  to: number,
): Promise<readonly Sighting[]> {
  const known = knownSightings(fresh, run, from, to);
  if (known !== undefined) return known;
  const { incarnation, firstSeq } = run;
  const first = placeIn(run, from);
  const last = placeIn(run, to - 1);
  const name = held.segments.get(run.segment)?.name ?? "";
  const bytes = await held.parts.files.read(name, first.offset, last.offset + last.bytes - first.offset);
  const sightings: Sighting[] = [];
  for (let at = from; at < to; at += 1) {
    const placed = readRecord(bytes, placeIn(run, at).offset - first.offset);
    if (placed?.record.kind !== "sighting") break;
    if (placed.record.incarnation !== incarnation || placed.record.seq !== firstSeq + at) break;
    sightings.push(placed.record.sighting);
  }
  return sightings;
}

function knownSightings(
  fresh: FreshSightings,
  { incarnation, firstSeq }: Run,
  from: number,
  to: number,
): Sighting[] | undefined {
  const sightings: Sighting[] = [];
  for (let at = from; at < to; at += 1) {
    const sighting = fresh.get({ incarnation, seq: firstSeq + at });
    if (sighting === undefined) return undefined;
    sightings.push(sighting);
  }
  return sightings;
}
