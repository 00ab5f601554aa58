/**
 * Gives unacknowledged sightings a new incarnation when the ledger knows theirs better than this machine does.
 *
 * That happens on a machine that was rolled back to an earlier image: it would use sequence numbers again that the
 * ledger has acknowledged, and those sightings would be skipped. What is kept is written into one new segment whose
 * name voids all before it, so that a crash leaves either the old spool or the new one.
 */
import type { Sighting } from "@fleetban/proto/model/sighting";
import { drawIncarnation, type Held } from "./held.ts";
import { type FreshSightings, readRun } from "./read-back.ts";
import { encodeRecord, type SpoolRecord } from "./record.ts";
import { saveCheckpoint } from "./save-checkpoint.ts";
import { segmentName } from "./segment-name.ts";
import { SpoolIndex } from "./spool-index.ts";

/** What the coordinator has of one incarnation: its highest number, and the act of that sighting. */
export interface Acknowledged {
  readonly incarnation: Uint8Array;
  readonly seq: number;
  /** 8 bytes. */
  readonly act: Uint8Array;
}

/** Whether this machine wrote that number, and with that act. */
export async function agrees(
  held: Held,
  fresh: FreshSightings,
  incarnation: string,
  { seq, act }: Acknowledged,
): Promise<boolean> {
  const lastSeq = incarnation === held.incarnation ? held.nextSeq - 1 : held.index.lastSeq(incarnation);
  if (lastSeq === undefined || seq === 0) return true; // nothing of it is left here
  if (seq > lastSeq) return false;
  const run = held.index.runs.find((candidate) => candidate.incarnation === incarnation && holds(candidate, seq));
  if (run === undefined) return true;
  const [sighting] = await readRun(held, fresh, run, seq - run.firstSeq, seq - run.firstSeq + 1);
  return sighting === undefined || sighting.act === Buffer.from(act).toString("hex");
}

/** Renumbers the unacknowledged sightings of those incarnations under a new one, which is the current one from then on. */
export async function renew(held: Held, fresh: FreshSightings, disowned: ReadonlySet<string>): Promise<void> {
  const newest = Math.max(0, ...held.segments.keys());
  const replaces = Math.max(newest, held.writer.current?.segment ?? 0);
  const incarnation = drawIncarnation(held.parts.random);
  const { records, nextSeq } = await collect(held, fresh, disowned, incarnation);
  const parts = records.map(encodeRecord);
  const segment = replaces + 1;
  const name = segmentName(segment, replaces);
  await held.parts.files.replace(name, Buffer.concat(parts));
  await held.writer.startAfter(segment);
  const old = [...held.segments.values()];
  const index = new SpoolIndex();
  let offset = 0;
  for (const [at, record] of records.entries()) {
    const bytes = parts[at]?.length ?? 0;
    if (record.kind === "sighting") index.add(record, { segment, offset, bytes }, record.sighting.recordedAtMs);
    offset += bytes;
  }
  held.lost += held.index.gaps;
  held.forgottenBeforeMs = held.parts.clock.nowMs();
  held.index = index;
  held.segments.clear();
  held.segments.set(segment, { name, bytes: offset });
  held.incarnation = incarnation;
  held.nextSeq = nextSeq;
  fresh.clear();
  for (const { name: voided } of old) await held.parts.files.remove(voided);
  await saveCheckpoint(held);
}

async function collect(
  held: Held,
  fresh: FreshSightings,
  disowned: ReadonlySet<string>,
  incarnation: string,
): Promise<{ records: readonly SpoolRecord[]; nextSeq: number }> {
  const records: SpoolRecord[] = [{ kind: "positions", positions: [...held.positions.values()] }];
  let nextSeq = 1;
  for (const run of held.index.runs) {
    const sightings =
      run.acknowledged < run.offsets.length
        ? await readRun(held, fresh, run, run.acknowledged, run.offsets.length)
        : [];
    for (const [at, sighting] of sightings.entries()) {
      const own = { incarnation: run.incarnation, seq: run.firstSeq + run.acknowledged + at };
      const point = disowned.has(run.incarnation) ? { incarnation, seq: nextSeq++ } : own;
      records.push(sightingRecord(point, sighting));
    }
  }
  return { records, nextSeq };
}

function sightingRecord(point: { incarnation: string; seq: number }, sighting: Sighting): SpoolRecord {
  return { kind: "sighting", ...point, sighting, position: undefined };
}

function holds(run: { firstSeq: number; offsets: readonly number[] }, seq: number): boolean {
  return seq >= run.firstSeq && seq < run.firstSeq + run.offsets.length;
}
