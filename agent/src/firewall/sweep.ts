/**
 * A walk over many entries with a cursor, instead of a wish for each: an initial load of a million listings costs a
 * copy of their columns and no map.
 *
 * Each row is planned when its turn comes, from what is true then, so whatever changed meanwhile is already right.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { scannedTextOf } from "@fleetban/proto/model/prefix-scan";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { type PrefixColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { RunPlan } from "./entry-run.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import type { PlannedOp } from "./order-batch.ts";

/** Those with the smaller number go first within their lane. */
export const SWEEP_ORDER = { growth: 0, removals: 1, repair: 2, load: 3, feeds: 4, renewal: 5 } as const;

export interface SweepSpec {
  readonly lane: Lane;
  readonly order: number;
  readonly set: KernelSet;
  readonly columns: PrefixColumns;
  /** Until it is through, the list's revision is not enforced yet. */
  readonly holdsRevision: boolean;
  /** Instead of what the set wants of the entry. */
  readonly plan?: (prefix: Prefix) => PlannedOp | undefined;
  /** Many rows at once, from that one on. Undefined = they are to be planned one by one. */
  readonly planRun?: (columns: PrefixColumns, from: number, entries: number) => RunPlan | undefined;
  /** Once all of it is applied. */
  readonly finish?: () => Promise<void>;
}

export interface Sweep extends SweepSpec {
  readonly isOver: boolean;
  /** Undefined = no more. */
  next(): Prefix | undefined;
  /** Undefined: ask for one after the other. */
  nextRun(entries: number): RunPlan | undefined;
}

export function createSweep(spec: SweepSpec): Sweep {
  const words = blankWords();
  let row = 0;
  return {
    ...spec,
    get isOver() {
      return row >= spec.columns.count;
    },
    next() {
      if (row >= spec.columns.count) return undefined;
      readPrefix(spec.columns, row, words);
      row += 1;
      return scannedTextOf(words) as Prefix;
    },
    nextRun(entries) {
      const plan = spec.planRun?.(spec.columns, row, entries);
      row += plan?.rows ?? 0;
      return plan;
    },
  };
}
