/**
 * Reads back what an earlier run left: every whole record, wherever damage lies, and the newest source positions.
 *
 * A torn tail was never promised to anybody: it is passed over, and nothing is ever appended behind it. A gap in an
 * incarnation's numbers that is not acknowledged is counted as lost.
 */
import type { Log } from "@fleetban/kit/log";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { type Checkpoint, decodeCheckpoint, NO_CHECKPOINT } from "./checkpoint.ts";
import type { SpoolFiles } from "./files.ts";
import { type PlacedRecord, scanRecords } from "./record.ts";
import { sortSegments } from "./segment-name.ts";
import type { SourcePosition } from "./source-position.ts";
import { SpoolIndex } from "./spool-index.ts";

export const CHECKPOINT_NAME = "checkpoint.json";
/** So many of the newest sightings are given to the sources, to know again what they have told. */
const RECENT_MAX = 16_384;

export interface Recovered {
  readonly index: SpoolIndex;
  /** Bytes by number, in order. */
  readonly segments: Map<number, { readonly name: string; bytes: number }>;
  readonly positions: Map<string, SourcePosition>;
  readonly recent: readonly Sighting[];
  readonly checkpoint: Checkpoint;
}

export async function recover(files: SpoolFiles, log: Log): Promise<Recovered> {
  const names = await files.list();
  const { valid, replaced } = sortSegments(names);
  for (const name of replaced) await files.remove(name);
  const checkpoint = await readCheckpoint(files, names, log);
  const index = new SpoolIndex();
  const segments: Recovered["segments"] = new Map();
  const positions = new Map(checkpoint.positions.map((position) => [position.source, position]));
  const recent: Sighting[] = [];
  for (const { name, number } of valid) {
    const bytes = await files.read(name);
    segments.set(number, { name, bytes: bytes.length });
    for (const placed of scanRecords(bytes)) {
      for (const position of positionsOf(placed)) {
        if (isAfter(checkpoint.through, number, placed)) positions.set(position.source, position);
      }
      indexRecord(index, checkpoint, number, placed);
      if (placed.record.kind === "sighting") recent.push(placed.record.sighting);
    }
    recent.splice(0, recent.length - RECENT_MAX);
  }
  for (const [incarnation, seq] of checkpoint.acknowledged) index.acknowledge({ incarnation, seq });
  if (index.gaps > 0) log.error("spool.damage_found", { lostSightings: index.gaps });
  return { index, segments, positions, recent, checkpoint };
}

async function readCheckpoint(files: SpoolFiles, names: readonly string[], log: Log): Promise<Checkpoint> {
  if (!names.includes(CHECKPOINT_NAME)) return NO_CHECKPOINT;
  const checkpoint = decodeCheckpoint(await files.read(CHECKPOINT_NAME));
  if (checkpoint === undefined) log.warn("spool.checkpoint_unreadable", { file: CHECKPOINT_NAME });
  return checkpoint ?? NO_CHECKPOINT;
}

function positionsOf({ record }: PlacedRecord): readonly SourcePosition[] {
  if (record.kind === "positions") return record.positions;
  return record.position === undefined ? [] : [record.position];
}

function isAfter(through: Checkpoint["through"], segment: number, { offset }: PlacedRecord): boolean {
  return segment > through.segment || (segment === through.segment && offset >= through.bytes);
}

function indexRecord(index: SpoolIndex, checkpoint: Checkpoint, segment: number, placed: PlacedRecord): void {
  const { record, offset, bytes } = placed;
  if (record.kind !== "sighting") return;
  const { incarnation, seq } = record;
  const lastSeq = index.lastSeq(incarnation);
  if (lastSeq !== undefined && seq <= lastSeq) return; // a copy left by a failed write: the first one counts
  const settled = Math.max(lastSeq ?? seq - 1, checkpoint.acknowledged.get(incarnation) ?? 0);
  const gap = lastSeq === undefined ? 0 : Math.max(0, seq - 1 - settled);
  index.add({ incarnation, seq }, { segment, offset, bytes }, record.sighting.recordedAtMs, gap);
}
