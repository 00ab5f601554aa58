/**
 * Carries a batch out and learns from the answer: what went in is believed, what was refused is named and counted.
 *
 * While a set's replacement is being filled, ops go to both. Of a batch that fails as a whole nothing is known: its sets
 * are suspect, reconcile reads them back (invariant 3), and its entries are wished again, to be planned anew.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { prefixesOf, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { addsIn } from "./add-run.ts";
import type { AddRun, Backend, Op, Refusal, RowRefusal, SetName } from "./backend.ts";
import { endAfter } from "./entry-op.ts";
import type { PlannedRun } from "./entry-run.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import type { Batch } from "./lanes.ts";
import { orderBatch, type PlannedOp } from "./order-batch.ts";

export interface ApplyParts {
  readonly backend: Backend;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** The kernel has these now. */
  readonly onApplied: (ops: Iterable<Op>, lane: Lane) => void;
  readonly onFull: (set: KernelSet, prefix: Prefix, lane: Lane) => void;
  readonly onSetMissing: (set: KernelSet) => void;
  /** The set's replacement holds it until then; undefined = it doesn't any more. */
  readonly onFilled: (set: KernelSet, prefix: Prefix, endSeconds: number | undefined) => void;
  /** The set's replacement lacks an entry that the set itself may have. */
  readonly onFillRefused: (set: KernelSet) => void;
  /** The whole batch failed. */
  readonly onFailed: (lane: Lane, planned: readonly PlannedOp[], cause: unknown) => void;
  readonly onDone: () => void;
}

/** So many refused entries are named in one line. */
const NAMED = 8;

export async function applyBatch(parts: ApplyParts, batch: Pick<Batch, "lane" | "planned" | "run">): Promise<void> {
  const { lane, planned, run } = batch;
  const ordered = orderBatch(withReplacements(planned));
  if (ordered.length === 0 && run === undefined) return;
  try {
    if (ordered.length > 0) {
      const refusals = await parts.backend.apply(ordered.map(({ op }) => op));
      learn(parts, lane, ordered, new Map(refusals.map((refusal) => [refusal.op, refusal])));
    }
    if (run !== undefined) await applyRun(parts, lane, run);
    parts.onDone();
  } catch (error) {
    parts.onFailed(lane, run === undefined ? ordered : [...ordered, ...opsOf(run)], error);
  }
}

/** As `apply` and `learn` for the set's ops. */
async function applyRun(parts: ApplyParts, lane: Lane, { set, adds }: PlannedRun): Promise<void> {
  const { replacement } = set;
  const addTo = async (name: SetName) => (await parts.backend.addRun?.({ ...adds, set: name })) ?? [];
  const refusals = await addTo(set.name);
  believeRun(set, adds, refusals, parts.clock.monotonicMs() / 1_000);
  // Texts are made only where somebody keeps them.
  const areNamed = refusals.length > 0 || set.refused.size > 0 || set.touched !== undefined;
  parts.onApplied(areNamed ? learnNamed(parts, lane, { set, adds }, refusals) : addsIn(adds), lane);
  if (replacement === undefined) return;
  if ((await addTo(replacement)).length > 0) return parts.onFillRefused(set);
  if (refusals.length === 0) return;
  const nowSeconds = parts.clock.monotonicMs() / 1_000;
  const rows = [...prefixesOf([adds.columns])];
  for (const { row } of refusals) {
    const prefix = rows[row];
    if (prefix !== undefined) parts.onFilled(set, prefix, endAfter(adds.timeouts[row] ?? 0, nowSeconds));
  }
}

function believeRun(
  { entries }: KernelSet,
  { columns, timeouts }: AddRun,
  refusals: readonly RowRefusal[],
  nowSeconds: number,
): void {
  const refusedRows = new Set(refusals.map(({ row }) => row));
  const words = blankWords();
  for (let row = 0; row < columns.count; row += 1) {
    if (refusedRows.has(row)) continue;
    readPrefix(columns, row, words);
    entries.putWords(words, endAfter(timeouts[row] ?? 0, nowSeconds));
  }
}

/** Gives what was not refused. */
function learnNamed(
  parts: ApplyParts,
  lane: Lane,
  { set, adds }: PlannedRun,
  refusals: readonly RowRefusal[],
): readonly Op[] {
  const refusalByRow = new Map(refusals.map((refusal) => [refusal.row, refusal]));
  const applied: Op[] = [];
  const refused: Refusal[] = [];
  for (const [row, op] of [...addsIn(adds)].entries()) {
    const refusal = refusalByRow.get(row);
    set.touched?.add(op.prefix);
    set.refused.delete(op.prefix);
    if (refusal === undefined) applied.push(op);
    else refused.push({ op, code: refusal.code, detail: refusal.detail });
  }
  for (const refusal of refused) learnRefusal(parts, lane, set, refusal);
  nameRefused(parts.log, lane, refused);
  return applied;
}

export function opsOf({ set, adds }: PlannedRun): readonly PlannedOp[] {
  return Array.from(addsIn(adds), (op) => ({ set, op, isFill: false }));
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
      else parts.onFilled(set, op.prefix, op.kind === "add" ? endAfter(op.timeoutSeconds, nowSeconds) : undefined);
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
  nameRefused(parts.log, lane, refused);
}

function believe(set: KernelSet, op: Op, nowSeconds: number): void {
  if (op.kind === "add") set.entries.put(op.prefix, endAfter(op.timeoutSeconds, nowSeconds));
  else set.entries.remove(op.prefix);
  if (set.refused.size > 0) set.refused.delete(op.prefix);
}

function nameRefused(log: Log, lane: Lane, refused: readonly Refusal[]): void {
  if (refused.length === 0) return;
  log.warn("firewall.entries_refused", { lane, refused: refused.length, first: refused.slice(0, NAMED) });
}

function learnRefusal(parts: ApplyParts, lane: Lane, set: KernelSet, { op, code }: Refusal): void {
  if (code === "set-full") parts.onFull(set, op.prefix, lane);
  else if (code === "set-missing") parts.onSetMissing(set);
  else set.refused.set(op.prefix, code);
}
