/**
 * Where all sources meet: what is news goes into the spool, what concerns this machine into its kernel at once.
 *
 * One batch is under way at a time and what arrives meanwhile forms the next one, so that many small takes share one
 * sync, and a ban that is known because another source has just told it is not acknowledged before that one is durable.
 * The kernel does not wait for the disk.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Source } from "@fleetban/proto/model/sighting";
import type { SourcePosition } from "../spool/source-position.ts";
import type { SpoolEntry } from "../spool/write-batch.ts";
import type { Judgement, KnownBans, LocalAct } from "./dedupe.ts";
import type { LocalResult, SightingSink, SourceItem } from "./seen.ts";

export interface IntakeSpool {
  append(entries: readonly SpoolEntry[]): Promise<unknown>;
  note(position: SourcePosition): void;
}

export interface IntakeParts {
  readonly spool: IntakeSpool;
  readonly known: KnownBans;
  readonly clock: Clock;
  readonly log: Log;
  /** Called before the sighting is durable, and once more when a batch is given again. */
  readonly local: (act: LocalAct) => LocalResult | undefined;
}

export interface SourceCounts {
  /** Sightings in the spool. */
  told: number;
  /** Words about bans that were known. */
  known: number;
  /** Records without an address. */
  junk: number;
}

export interface Intake extends SightingSink {
  readonly counts: ReadonlyMap<Source, Readonly<SourceCounts>>;
}

interface Waiting {
  readonly items: readonly SourceItem[];
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export function createIntake(parts: IntakeParts): Intake {
  const counts = new Map<Source, SourceCounts>();
  let waiting: Waiting[] = [];
  let isBusy = false;

  async function work(): Promise<void> {
    isBusy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await takeBatch(
          parts,
          counts,
          batch.flatMap(({ items }) => items),
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isBusy = false;
  }

  return {
    counts,
    take(items) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ items, resolve, reject });
      if (!isBusy) void work(); // tells each who waits
      return promise;
    },
  };
}

async function takeBatch(
  parts: IntakeParts,
  counts: Map<Source, SourceCounts>,
  items: readonly SourceItem[],
): Promise<void> {
  const judgements: Judgement[] = [];
  const entries: SpoolEntry[] = [];
  const read = new Map<string, SourcePosition>();
  try {
    for (const { seen, position, onJudged } of items) {
      if (position !== undefined) read.set(position.source, position);
      if (seen.kind === "nothing" || seen.kind === "junk") continue;
      const judgement = parts.known.judge(seen, parts.clock.nowMs());
      judgements.push(judgement);
      const local = judgement.local && parts.local(judgement.local);
      onJudged?.(judgement.told !== undefined, local);
      if (judgement.told !== undefined) entries.push({ sighting: judgement.told, position });
    }
    if (entries.length > 0) await parts.spool.append(entries);
  } catch (error) {
    for (const { undo } of judgements.reverse()) undo();
    throw error;
  }
  const last = new Map(entries.map(({ position }) => [position?.source, position]));
  for (const [source, position] of read) if (last.get(source) !== position) parts.spool.note(position);
  count(counts, items, entries);
}

function count(counts: Map<Source, SourceCounts>, items: readonly SourceItem[], entries: readonly SpoolEntry[]): void {
  const of = (source: Source) => {
    const found = counts.get(source) ?? { told: 0, known: 0, junk: 0 };
    counts.set(source, found);
    return found;
  };
  for (const { seen } of items) {
    if (seen.kind === "junk") of(seen.source).junk += 1;
    else if (seen.kind !== "nothing" && seen.kind !== "end") of(seen.source).known += 1;
  }
  for (const { sighting } of entries) {
    of(sighting.source).told += 1;
    if (sighting.kind !== "unban-by-hand") of(sighting.source).known -= 1;
  }
}
