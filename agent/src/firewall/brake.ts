/**
 * The agent's brake (PROTOCOL rule 8): a ledger that is mistaken, restored or emptied can't empty this kernel faster
 * than the lease. Pure but for the short memory of `createBrake`.
 *
 * A large removal that no operator approved is mirrored and not carried out. Slices of one plan come one after the
 * other, each of them small: so what the last minute took away counts, too.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import { familyOf, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";

const ALWAYS_ALLOWED = 100;
const MEMORY_MS = 60_000;
/** No deny list takes more at once, whoever says so: two such listings are not half of the internet. */
export const DENY_WIDEST_LENGTH = { 4: 8, 6: 19 } as const;
/** On an exempt list anything wider needs an operator's approval. */
const EXEMPT_WIDEST_LENGTH = { 4: 8, 6: 24 } as const;

export interface Brake {
  /** `removed` of `inForce` entries are to go now. True = leave them to their leases. */
  holds(list: ListNo, removed: number, inForce: number): boolean;
}

interface Removal {
  readonly list: ListNo;
  readonly atMs: number;
  readonly removed: number;
  /** Before it. */
  readonly inForce: number;
}

export function createBrake(clock: { monotonicMs(): number }): Brake {
  const removals: Removal[] = [];
  return {
    holds(list, removed, inForce) {
      const nowMs = clock.monotonicMs();
      while (removals[0] !== undefined && nowMs - removals[0].atMs > MEMORY_MS) removals.shift();
      const lately = removals.filter((one) => one.list === list);
      const all = lately.reduce((sum, one) => sum + one.removed, removed);
      // Of as many as there were when it began: some have gone since, others still wait for the pump.
      if (isTooMuch(all, Math.max(inForce, lately[0]?.inForce ?? 0))) return true;
      if (removed > 0) removals.push({ list, atMs: nowMs, removed, inForce });
      return false;
    },
  };
}

export function isTooMuch(removed: number, inForce: number): boolean {
  return removed > ALWAYS_ALLOWED && removed > inForce / 2;
}

export function isTooWideToDeny(prefix: Prefix): boolean {
  return lengthOf(prefix) < DENY_WIDEST_LENGTH[familyOf(prefix)];
}

export function isTooWideToExempt(prefix: Prefix): boolean {
  return lengthOf(prefix) < EXEMPT_WIDEST_LENGTH[familyOf(prefix)];
}
