/**
 * What is yet to be brought into the kernel: wishes by key, and sweeps, in two lanes (keeps invariant 7).
 *
 * A wish names an entry and nothing else; what becomes of it is planned when it is taken, from the newest truth. One wish
 * a key, urgent is never demoted. Urgent goes before bulk whenever a batch is taken; in each lane exempt sets go first.
 */
import { createBell } from "@fleetban/kit/bell";
import type { Clock } from "@fleetban/kit/clock";
import { createTurns } from "@fleetban/kit/turns";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { PlannedRun } from "./entry-run.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import type { PlannedOp } from "./order-batch.ts";
import { createSweep, SWEEP_ORDER, type Sweep, type SweepSpec } from "./sweep.ts";

export interface Batch {
  readonly lane: Lane;
  readonly planned: readonly PlannedOp[];
  /** Adds of one deny set, together with nothing but more adds to it. */
  readonly run: PlannedRun | undefined;
  /** The state of truth that it was planned from, see `Enforcer.truthChanged`. */
  readonly truth: number;
  /** The pump may rest after it; not while a set stands empty. */
  readonly mayRest: boolean;
  /** Sweeps of which these were the last entries. */
  readonly finished: readonly Sweep[];
}

export interface Lanes {
  wish(lane: Lane, set: KernelSet, prefix: Prefix): void;
  sweep(spec: SweepSpec): void;
  /** Something urgent waits for the set to grow: what fills its replacement is urgent, too. */
  hurry(set: KernelSet): void;
  /** Waits until there is something to do. Urgent: some hundred at most; bulk: `entries` at most. */
  take(entries: number, signal: AbortSignal): Promise<Batch>;
  /** What was taken last is carried out. */
  done(): void;
  /** Taken and not done. */
  readonly inFlight: Lane | undefined;
  /** Ends early when an urgent wish comes. */
  restUnlessUrgent(durationMs: number, signal: AbortSignal): Promise<void>;
  has(lane: Lane): boolean;
  /** Something that a revision waits for is pending for this set. */
  isPending(set: KernelSet): boolean;
  /** Forgets what is pending for a set that is gone. */
  drop(set: KernelSet): void;
}

export function entriesIn({ planned, run }: Pick<Batch, "planned" | "run">): number {
  return planned.length + (run?.adds.columns.count ?? 0);
}

export type PlanOne = (set: KernelSet, prefix: Prefix) => PlannedOp | undefined;

const URGENT_ENTRIES = 256;
/** Rows that may be looked at in vain before other work gets its chance. */
const ROWS_A_LOOK = 1_024;

export function createLanes(clock: Clock, planOne: PlanOne, truth: () => number = () => 0): Lanes {
  const wishes = { urgent: new Map<KernelSet, Set<Prefix>>(), bulk: new Map<KernelSet, Set<Prefix>>() };
  const sweeps: Record<Lane, Sweep[]> = { urgent: [], bulk: [] };
  let woken = Promise.withResolvers<void>();
  const urgentCame = createBell(clock);
  let inFlight: Lane | undefined;

  const has = (lane: Lane) => wishes[lane].size > 0 || sweeps[lane].length > 0;

  function wake(lane: Lane): void {
    woken.resolve();
    woken = Promise.withResolvers();
    if (lane === "urgent") urgentCame.ring();
  }

  /** The set that goes first among those with wishes. */
  function firstSet(lane: Lane): KernelSet | undefined {
    const sets = [...wishes[lane].keys()];
    return sets.find(isExempting) ?? sets[0];
  }

  function takeWishes(lane: Lane, entries: number, planned: PlannedOp[]): void {
    for (let set = firstSet(lane); set !== undefined && planned.length < entries; set = firstSet(lane)) {
      const keys = wishes[lane].get(set) ?? new Set<Prefix>();
      for (const prefix of keys) {
        if (planned.length >= entries) break;
        keys.delete(prefix);
        const one = planOne(set, prefix);
        if (one !== undefined) planned.push(one);
      }
      if (keys.size === 0) wishes[lane].delete(set);
    }
  }

  function takeRows(sweep: Sweep, entries: number, taken: Taken): void {
    const plan = (prefix: Prefix) => {
      const one = sweep.plan === undefined ? planOne(sweep.set, prefix) : sweep.plan(prefix);
      if (one !== undefined) taken.planned.push(one);
    };
    const inRun = taken.planned.length === 0 ? sweep.nextRun(entries) : undefined;
    if (inRun !== undefined) {
      taken.run = inRun.run;
      for (const prefix of inRun.others) plan(prefix);
      return;
    }
    for (let rows = 0; rows < ROWS_A_LOOK && taken.planned.length < entries; rows += 1) {
      const prefix = sweep.next();
      if (prefix === undefined) return;
      plan(prefix);
    }
  }

  /** A piece of the first sweep; it stays in front until it is over. */
  function takeSweep(lane: Lane, isFirst: (sweep: Sweep) => boolean, entries: number, taken: Taken): void {
    const sweep = sweeps[lane].find(isFirst);
    if (sweep === undefined) return;
    takeRows(sweep, entries, taken);
    if (!sweep.isOver) return;
    sweeps[lane].splice(sweeps[lane].indexOf(sweep), 1);
    taken.finished.push(sweep);
  }

  const isHurried = () => sweeps.bulk.some(({ order }) => order === SWEEP_ORDER.repair);

  function takeUrgent(entries: number): Batch {
    const taken = nothingTaken();
    const batch = () => ({ ...taken, lane: "urgent", mayRest: false, truth: truth() }) as const;
    takeSweep("urgent", ({ set }) => isExempting(set), entries, taken);
    const hasExempting = taken.finished.length > 0 || taken.planned.length > 0;
    if (hasExempting || sweeps.urgent.some(({ set }) => isExempting(set))) return batch();
    takeWishes("urgent", URGENT_ENTRIES, taken.planned);
    if (taken.planned.length === 0) takeSweep("urgent", () => true, entries, taken);
    return batch();
  }

  function takeBulk(entries: number): Batch {
    const taken = nothingTaken();
    const mayRest = !isHurried();
    // What is wished of a set that is full would be refused.
    takeSweep("bulk", ({ order }) => order === SWEEP_ORDER.growth, entries, taken);
    takeWishes("bulk", entries, taken.planned);
    if (taken.planned.length < entries) takeSweep("bulk", () => true, entries, taken);
    return { ...taken, lane: "bulk", mayRest, truth: truth() };
  }

  return {
    has,
    get inFlight() {
      return inFlight;
    },
    done() {
      inFlight = undefined;
    },
    wish(lane, set, prefix) {
      if (lane === "bulk" && wishes.urgent.get(set)?.has(prefix)) return;
      if (lane === "urgent") wishes.bulk.get(set)?.delete(prefix);
      const keys = wishes[lane].get(set);
      if (keys === undefined) wishes[lane].set(set, new Set([prefix]));
      else keys.add(prefix);
      wake(lane);
    },
    sweep(spec) {
      const queue = sweeps[spec.lane];
      const before = queue.findIndex(({ order }) => order > spec.order);
      queue.splice(before < 0 ? queue.length : before, 0, createSweep(spec));
      wake(spec.lane);
    },
    hurry(set) {
      const isHurried = (sweep: Sweep) => sweep.set === set && sweep.order === SWEEP_ORDER.growth;
      const hurried = sweeps.bulk.filter(isHurried);
      if (hurried.length === 0) return;
      sweeps.bulk = sweeps.bulk.filter((sweep) => !isHurried(sweep));
      sweeps.urgent.unshift(...hurried);
      wake("urgent");
    },
    async take(entries, signal) {
      const turns = createTurns(clock);
      for (;;) {
        signal.throwIfAborted();
        if (!has("urgent") && !has("bulk")) await untilAborted(woken.promise, signal);
        const batch = has("urgent") ? takeUrgent(entries) : takeBulk(entries);
        const isLast = !has("urgent") && !has("bulk"); // nothing left to do: whoever waits for that is told
        if (entriesIn(batch) > 0 || batch.finished.length > 0 || isLast) {
          inFlight = batch.lane;
          return batch;
        }
        if (turns.isOver()) await turns.next();
      }
    },
    async restUnlessUrgent(durationMs, signal) {
      if (has("urgent") || durationMs <= 0) return;
      await urgentCame.wait(urgentCame.rings, durationMs, signal);
    },
    isPending: (set) =>
      wishes.urgent.has(set) ||
      wishes.bulk.has(set) ||
      [...sweeps.urgent, ...sweeps.bulk].some((sweep) => sweep.set === set && sweep.holdsRevision),
    drop(set) {
      for (const lane of ["urgent", "bulk"] as const) {
        wishes[lane].delete(set);
        sweeps[lane] = sweeps[lane].filter((sweep) => sweep.set !== set);
      }
    },
  };
}

/** A batch that is being put together. */
interface Taken {
  readonly planned: PlannedOp[];
  run: PlannedRun | undefined;
  readonly finished: Sweep[];
}

function nothingTaken(): Taken {
  return { planned: [], run: undefined, finished: [] };
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
