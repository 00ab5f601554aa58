/**
 * Carries a batch out and learns from the answer: what went in is believed, what was refused is named and counted.
 *
 * While a set's replacement is being filled, ops go to both. Of a batch that fails as a whole nothing is known: its sets
 * are suspect, reconcile reads them back (invariant 3), and its entries are wished again, to be planned anew.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Backend, Op, Refusal } from "./backend.ts";
import { endAfter } from "./entry-op.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import { orderBatch, type PlannedOp } from "./order-batch.ts";

export interface ApplyParts {
  readonly backend: Backend;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** The kernel has these now. */
  readonly onApplied: (ops: readonly Op[], lane: Lane) => void;
  readonly onFull: (set: KernelSet, prefix: Prefix, lane: Lane) => void;
  readonly onSetMissing: (set: KernelSet) => void;
  /** The set's replacement lacks an entry that the set itself may have. */
  readonly onFillRefused: (set: KernelSet) => void;
  /** The whole batch failed. */
  readonly onFailed: (lane: Lane, planned: readonly PlannedOp[], cause: unknown) => void;
  readonly onDone: () => void;
}

/** So many refused entries are named in one line. */
const NAMED = 8;

export async function applyBatch(parts: ApplyParts, lane: Lane, planned: readonly PlannedOp[]): Promise<void> {
  const ordered = orderBatch(withReplacements(planned));
  if (ordered.length === 0) return;
  try {
    const refusals = await parts.backend.apply(ordered.map(({ op }) => op));
    learn(parts, lane, ordered, new Map(refusals.map((refusal) => [refusal.op, refusal])));
    parts.onDone();
  } catch (error) {
    parts.onFailed(lane, ordered, error);
  }
}

function withReplacements(planned: readonly PlannedOp[]): readonly PlannedOp[] {
  return planned.flatMap((one) => {
    const { replacement } = one.set;
    if (replacement === undefined || one.isFill) return [one];
    return [one, { ...one, op: { ...one.op, set: replacement }, isFill: true }];
  });
}

function learn(
  parts: ApplyParts,
  lane: Lane,
  ordered: readonly PlannedOp[],
  refusedOps: ReadonlyMap<Op, Refusal>,
): void {
  const nowSeconds = parts.clock.monotonicMs() / 1_000;
  const applied: Op[] = [];
  const refused: Refusal[] = [];
  for (const { set, op, isFill } of ordered) {
    const refusal = refusedOps.get(op);
    if (isFill) {
      if (refusal !== undefined) parts.onFillRefused(set);
      continue;
    }
    set.touched?.add(op.prefix);
    if (refusal === undefined) {
      believe(set, op, nowSeconds);
      applied.push(op);
    } else {
      learnRefusal(parts, lane, set, refusal);
      refused.push(refusal);
    }
  }
  if (applied.length > 0) parts.onApplied(applied, lane);
  if (refused.length > 0)
    parts.log.warn("firewall.entries_refused", { lane, refused: refused.length, first: refused.slice(0, NAMED) });
}

function believe(set: KernelSet, op: Op, nowSeconds: number): void {
  if (op.kind === "add") set.entries.put(op.prefix, endAfter(op.timeoutSeconds, nowSeconds));
  else set.entries.remove(op.prefix);
  if (set.refused.size > 0) set.refused.delete(op.prefix);
}

function learnRefusal(parts: ApplyParts, lane: Lane, set: KernelSet, { op, code }: Refusal): void {
  if (code === "set-full") parts.onFull(set, op.prefix, lane);
  else if (code === "set-missing") parts.onSetMissing(set);
  else set.refused.set(op.prefix, code);
}
