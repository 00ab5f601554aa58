/**
 * What carries wishes into the kernel and keeps it so: lanes, pump, growth, reading back and reconcile, joined.
 *
 * Knows sets and what is wanted of an entry, nothing of lists. Never has two batches in the kernel at once.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type PrefixColumns, prefixColumns } from "@fleetban/proto/model/sorted-columns";
import { applyBatch, opsOf } from "./apply-batch.ts";
import type { Backend, Op } from "./backend.ts";
import type { Drift } from "./drift.ts";
import { opFor } from "./entry-op.ts";
import { planRun, type RunPlan } from "./entry-run.ts";
import { createExclusive, type Exclusive } from "./exclusive.ts";
import { createGrowth, type Growth, roomFor } from "./growth.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import { type Batch, createLanes, type Lanes } from "./lanes.ts";
import type { PlannedOp } from "./order-batch.ts";
import type { PaceLimits } from "./pacing.ts";
import { createPercentiles, type Percentiles } from "./percentiles.ts";
import { createPump, type Pump } from "./pump.ts";
import { createReadBack, type Difference, type ReadBack } from "./read-back.ts";
import { createReconcile, type Reconcile } from "./reconcile.ts";
import type { SetRegistry } from "./set-registry.ts";
import { SWEEP_ORDER } from "./sweep.ts";
import type { AskPlainList, AskWanted } from "./wanted.ts";

export interface EnforcerParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Log;
  readonly sets: SetRegistry;
  readonly drift: Drift;
  readonly wanted: AskWanted;
  readonly plainList: AskPlainList;
  /** Why the agent itself refuses to put it there. */
  readonly protectedReason: (set: KernelSet, prefix: Prefix) => string | undefined;
  readonly random: Random;
  readonly limits: () => PaceLimits;
  readonly ledgerNowMs: () => number;
  readonly onApplied: (ops: Iterable<Op>, lane: Lane) => void;
  readonly onBatch: () => void;
  /** Wishes all that the set is to hold. */
  readonly refill: (set: KernelSet) => void;
  readonly isRuled: (set: KernelSet) => boolean;
  readonly checkRules: (areSuspect: boolean) => Promise<void>;
}

export interface Enforcer {
  readonly lanes: Lanes;
  readonly pump: Pump;
  readonly growth: Growth;
  readonly readBack: ReadBack;
  readonly reconcile: Reconcile;
  readonly exclusive: Exclusive;
  readonly applyUs: Percentiles;
  readonly planAdd: (set: KernelSet, prefix: Prefix) => PlannedOp | undefined;
  readonly planAdds: (set: KernelSet, columns: PrefixColumns, from: number, entries: number) => RunPlan | undefined;
  /** What is wanted changed for more than named entries (line, blocklist): what is in flight may be of yesterday. */
  truthChanged(): void;
  /** Why the last batch failed as a whole. */
  failure(): unknown;
  /** All urgent wishes of this moment are in the kernel, or will not get there. */
  settled(): Promise<void>;
}

const KERNEL_BACKOFF = { baseMs: 100, maxMs: 10_000 };
/** More than this is repaired by a sweep. */
const WISHED_REPAIRS = 1_024;

export function createEnforcer(parts: EnforcerParts): Enforcer {
  const { backend, clock, log, sets, wanted } = parts;
  const nowSeconds = () => clock.monotonicMs() / 1_000;
  const exclusive = createExclusive();
  const applyUs = createPercentiles();
  let waiting: (() => void)[] = [];
  let failure: unknown;
  let attempts = 0;
  let truth = 0;

  function planOne(set: KernelSet, prefix: Prefix): PlannedOp | undefined {
    const op = opFor(set, prefix, wanted(set, prefix), nowSeconds());
    if (op === undefined) return undefined;
    if (op.kind === "add" && isProtected(set, prefix)) return undefined;
    return { set, op, isFill: false };
  }

  function planAdd(set: KernelSet, prefix: Prefix): PlannedOp | undefined {
    const planned = planOne(set, prefix);
    return planned?.op.kind === "add" ? planned : undefined;
  }

  /** As `planAdd` for many rows. */
  function planAdds(set: KernelSet, columns: PrefixColumns, from: number, entries: number): RunPlan | undefined {
    const plain = backend.addRun === undefined ? undefined : parts.plainList(set);
    return plain === undefined ? undefined : planRun(set, plain, { columns, from, entries, nowSeconds: nowSeconds() });
  }

  function isProtected(set: KernelSet, prefix: Prefix): boolean {
    const reason = parts.protectedReason(set, prefix);
    if (reason === undefined || set.entries.has(prefix)) return false;
    if (!set.refused.has(prefix)) log.warn("firewall.protected_refused", { set: set.name, prefix, reason });
    set.refused.set(prefix, "protected");
    return true;
  }

  const lanes = createLanes(clock, planOne, () => truth);
  const growth = createGrowth({ backend, lanes, exclusive, log, nowSeconds });
  const readBack = createReadBack({ backend, clock });

  function batchFailed(lane: Lane, planned: readonly PlannedOp[], cause: unknown): void {
    if (failure === undefined) log.error("firewall.batch_failed", { lane, entries: planned.length, error: cause });
    failure = cause;
    attempts += 1;
    for (const { set, op, isFill } of planned) {
      set.isSuspect = true;
      if (isFill) growth.abandon(set);
      else lanes.wish(lane, set, op.prefix);
    }
  }

  // A kernel that is away does not hold up whoever waits: what is known then is all that there is to tell.
  const isSettled = () => failure !== undefined || hasNothingUrgent();
  const hasNothingUrgent = () => !lanes.has("urgent") && lanes.inFlight !== "urgent" && !growth.isAwaited();

  function onBatch(touched: Iterable<KernelSet>): void {
    for (const set of touched) growth.growIfNearlyFull(set);
    parts.onBatch();
    if (!isSettled()) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  }

  function planAgain(planned: readonly PlannedOp[]): void {
    for (const { set, op, isFill } of planned) {
      if (!isFill) lanes.wish(isExempting(set) ? "urgent" : "bulk", set, op.prefix);
    }
  }

  function repair(set: KernelSet, { missing, foreign }: Difference): void {
    if (missing.length + foreign.length <= WISHED_REPAIRS) {
      for (const prefix of missing) lanes.wish("urgent", set, prefix);
      for (const prefix of foreign) lanes.wish(isExempting(set) ? "urgent" : "bulk", set, prefix);
      return;
    }
    const lane = isExempting(set) ? "urgent" : "bulk";
    for (const columns of prefixColumns([...missing, ...foreign])) {
      if (columns.count > 0) lanes.sweep({ lane, order: SWEEP_ORDER.repair, set, columns, holdsRevision: true });
    }
  }

  async function remake(set: KernelSet): Promise<void> {
    const maxEntries = set.maxEntries || roomFor(0);
    await backend.createSet({ name: set.name, family: set.family, maxEntries });
    set.isPresent = true;
  }

  const reconcile = createReconcile({
    ...{ backend, clock, log, sets, exclusive, readBack, remake, repair },
    drift: parts.drift,
    ledgerNowMs: parts.ledgerNowMs,
    refill: parts.refill,
    isRuled: parts.isRuled,
    checkRules: parts.checkRules,
    onForgotten: (set, prefix) => lanes.wish("bulk", set, prefix),
  });

  const applyParts = {
    ...{ backend, clock, log },
    onApplied: parts.onApplied,
    onFull: growth.full,
    onSetMissing: () => reconcile.soon(),
    onFilled: growth.filled,
    onFillRefused: growth.abandon,
    onFailed: batchFailed,
    onDone: () => {
      if (failure !== undefined) log.info("firewall.kernel_back", { attempts });
      failure = undefined;
      attempts = 0;
    },
  };
  const pump = createPump({
    ...{ lanes, clock, exclusive, applyUs },
    limits: parts.limits,
    async apply(batch) {
      await applyBatch(applyParts, batch);
      if (batch.truth !== truth) planAgain(plannedIn(batch));
    },
    pauseMs: () => (attempts === 0 ? 0 : backoffMs(attempts, parts.random, KERNEL_BACKOFF)),
    onBatch: ({ planned, run }) =>
      onBatch(new Set([...planned, ...(run === undefined ? [] : [run])].map(({ set }) => set))),
  });

  return {
    ...{ lanes, pump, growth, readBack, reconcile, exclusive, applyUs, planAdd, planAdds },
    failure: () => failure,
    truthChanged() {
      truth += 1;
    },
    settled: () => (isSettled() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

function plannedIn({ planned, run }: Batch): readonly PlannedOp[] {
  return run === undefined ? planned : [...planned, ...opsOf(run)];
}
