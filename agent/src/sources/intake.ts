/**
 * Where all sources meet: what is news goes into the spool, what concerns this machine into its kernel at once.
 *
 * Judged and acted on when it arrives: the kernel does not wait for the disk. One batch is being written at a time and
 * what arrives meanwhile forms the next one, so that many small takes share one sync, and a ban that is known because
 * another source has just told it is not acknowledged before that one is durable.
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

/** A take, judged and not yet durable. */
interface Judged {
  readonly items: readonly SourceItem[];
  readonly judgements: readonly Judgement[];
  readonly entries: readonly SpoolEntry[];
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export function createIntake(parts: IntakeParts): Intake {
  const counts = new Map<Source, SourceCounts>();
  let waiting: Judged[] = [];
  let isBusy = false;

  async function work(): Promise<void> {
    isBusy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(parts, batch);
        for (const { items, entries, resolve } of batch) {
          count(counts, items, entries);
          resolve();
        }
      } catch (error) {
        // What came meanwhile was judged by what is not so: all of it is given again.
        const all = [...batch, ...waiting];
        waiting = [];
        for (const { judgements, reject } of all.reverse()) {
          undoAll(judgements);
          reject(error);
        }
      }
    }
    isBusy = false;
  }

  return {
    counts,
    async take(items) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ items, ...judge(parts, items), resolve, reject });
      if (!isBusy) void work(); // tells each who waits
      await promise;
    },
  };
}

function judge(parts: IntakeParts, items: readonly SourceItem[]): Pick<Judged, "judgements" | "entries"> {
  const judgements: Judgement[] = [];
  const entries: SpoolEntry[] = [];
  try {
    for (const { seen, position, onJudged } of items) {
      if (seen.kind === "nothing" || seen.kind === "junk") continue;
      const judgement = parts.known.judge(seen, parts.clock.nowMs());
      judgements.push(judgement);
      const local = judgement.local && parts.local(judgement.local);
      onJudged?.(judgement.told !== undefined, local);
      if (judgement.told !== undefined) entries.push({ sighting: judgement.told, position });
    }
  } catch (error) {
    undoAll(judgements);
    throw error;
  }
  return { judgements, entries };
}

function undoAll(judgements: readonly Judgement[]): void {
  for (const { undo } of judgements.toReversed()) undo();
}

async function write({ spool }: IntakeParts, batch: readonly Judged[]): Promise<void> {
  const entries = batch.flatMap((judged) => judged.entries);
  if (entries.length > 0) await spool.append(entries);
  const read = new Map<string, SourcePosition>();
  for (const { position } of batch.flatMap(({ items }) => items)) {
    if (position !== undefined) read.set(position.source, position);
  }
  const last = new Map(entries.map(({ position }) => [position?.source, position]));
  for (const [source, position] of read) if (last.get(source) !== position) spool.note(position);
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
