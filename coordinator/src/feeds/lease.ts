/**
 * A feed taken for one turn: nobody else asks or lists for it until the lease is given back or has run out.
 *
 * Each turn leases under a name of its own, so that a turn that was thought dead notices that it has lost the feed.
 */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { FeedsParts } from "./parts.ts";
import { extendLease, releaseLease } from "./queries.ts";

export interface Lease {
  readonly feedNo: number;
  readonly leasedBy: string;
}

/** Longer than a fetch and one slice take; it is extended with every slice. */
const LEASE_MS = 3 * 60_000;

/** Not yet written anywhere. */
export function newLease(parts: Pick<FeedsParts, "random" | "runId">, feedNo: number): Lease {
  return { feedNo, leasedBy: `${parts.runId} ${Buffer.from(parts.random.bytes(4)).toString("hex")}` };
}

export function leaseEnd(now: number): UnixMs {
  return unixMs(now + LEASE_MS);
}

/** False when it is somebody else's by now. */
export async function keepLease({ store, ledger }: FeedsParts, { feedNo, leasedBy }: Lease): Promise<boolean> {
  return await extendLease(store.sql, feedNo, leasedBy, leaseEnd(ledger.ledgerTimeMs()));
}

export async function endLease({ store }: FeedsParts, { feedNo, leasedBy }: Lease): Promise<void> {
  await releaseLease(store.sql, feedNo, leasedBy);
}
