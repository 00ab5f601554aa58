/**
 * Looks for entries whose timeouts run down while their listings last, and has them written anew in the bulk lane.
 *
 * What ends within minutes is looked at every minute, the rest (less than half of a lease left) each half hour.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { isAfter, NO_TIMEOUT } from "./entry-table.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lanes } from "./lanes.ts";
import type { PlannedOp } from "./order-batch.ts";
import { SWEEP_ORDER } from "./sweep.ts";

export interface RenewalParts {
  readonly lanes: Pick<Lanes, "sweep">;
  readonly nowSeconds: () => number;
  readonly leaseSeconds: (set: KernelSet) => number;
  readonly planAdd: (set: KernelSet, prefix: Prefix) => PlannedOp | undefined;
}

export interface Renewal {
  look(sets: readonly KernelSet[]): void;
}

const SHORT_SECONDS = 600;
const LONG_LOOK_EVERY_SECONDS = 1_800;

export function createRenewal({ lanes, nowSeconds, leaseSeconds, planAdd }: RenewalParts): Renewal {
  const underWay = new Set<KernelSet>();
  let longLookAt = nowSeconds() + LONG_LOOK_EVERY_SECONDS;

  function sweep(set: KernelSet, belowSeconds: number): void {
    const now = nowSeconds();
    const isDue = (end: number, isKept: boolean) =>
      !isKept && end !== NO_TIMEOUT && isAfter(end, now) && end - now < belowSeconds;
    const columns = set.entries.columns(isDue);
    if (columns.count === 0) return;
    underWay.add(set);
    const finish = async () => void underWay.delete(set);
    const plan = (prefix: Prefix) => planAdd(set, prefix);
    lanes.sweep({ lane: "bulk", order: SWEEP_ORDER.renewal, set, columns, holdsRevision: false, plan, finish });
  }

  return {
    look(sets) {
      const isLong = nowSeconds() >= longLookAt;
      if (isLong) longLookAt = nowSeconds() + LONG_LOOK_EVERY_SECONDS;
      for (const set of sets) {
        if (set.owner.kind !== "list" || !set.isPresent || underWay.has(set)) continue;
        sweep(set, isLong ? Math.max(SHORT_SECONDS, leaseSeconds(set) / 2) : SHORT_SECONDS);
      }
    },
  };
}
