/**
 * The order of a batch (PROTOCOL rule 3): exempt adds, deny adds, deny removes, exempt removes. Pure.
 *
 * Within each the ops of one set stand together, which is one message to the kernel.
 */
import type { Op } from "./backend.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";

export interface PlannedOp {
  readonly set: KernelSet;
  readonly op: Op;
  /** Into the replacement that is being filled: it says nothing about the set itself. */
  readonly isFill: boolean;
}

export function orderBatch(planned: readonly PlannedOp[]): readonly PlannedOp[] {
  const phases: Map<string, PlannedOp[]>[] = [new Map(), new Map(), new Map(), new Map()];
  for (const one of planned) {
    const ofSet = phases[phaseOf(one)];
    const before = ofSet?.get(one.op.set);
    if (before === undefined) ofSet?.set(one.op.set, [one]);
    else before.push(one);
  }
  return phases.flatMap((ofSet) => [...ofSet.values()].flat());
}

function phaseOf({ set, op }: PlannedOp): number {
  if (op.kind === "add") return isExempting(set) ? 0 : 1;
  return isExempting(set) ? 3 : 2;
}
