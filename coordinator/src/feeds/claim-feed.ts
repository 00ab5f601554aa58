/**
 * Takes a feed for one turn: the lease and the call are booked, and committed, before anybody is asked.
 *
 * Of two replicas, or of a crashed run and its successor, one gets it. A call that is booked is spent, whatever becomes of
 * the run that booked it: so the publisher never sees more calls than its quota allows.
 */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { FeedDefinition } from "./feed.ts";
import { type Lease, leaseEnd, newLease } from "./lease.ts";
import type { FeedsParts } from "./parts.ts";
import { type FeedRow, selectFeedForUpdate, updateFeedTurn } from "./queries.ts";
import { bookCall, quotaRulesOf } from "./quota.ts";

export type Claim =
  | { readonly kind: "claimed"; readonly lease: Lease }
  | { readonly kind: "off" | "busy" | "not-due" }
  | { readonly kind: "exhausted"; readonly until: UnixMs };

const JITTER_AFTER_RESET_MS = 30 * 60_000;

export async function claimFeed(parts: FeedsParts, feed: FeedDefinition, byHand: boolean): Promise<Claim> {
  return await parts.store.transaction(async (sql) => {
    const row = await selectFeedForUpdate(sql, feed.name);
    const now = unixMs(parts.ledger.ledgerTimeMs());
    const refusal = refusalOf(row, byHand, now);
    if (row === undefined || refusal !== undefined) return { kind: refusal ?? "off" };
    const booking = bookCall(row.quota, quotaRulesOf(feed), byHand, now);
    if (booking.kind === "exhausted") {
      const nextAt = unixMs(booking.until + Math.round(parts.random.unit() * JITTER_AFTER_RESET_MS));
      const { leasedUntil, leasedBy, quota } = row;
      if (!byHand) await updateFeedTurn(sql, row.feedNo, { nextAt, leasedUntil, leasedBy, quota });
      return booking;
    }
    const lease = newLease(parts, row.feedNo);
    const { nextAt } = row;
    const { quota } = booking;
    await updateFeedTurn(sql, row.feedNo, { nextAt, quota, leasedUntil: leaseEnd(now), leasedBy: lease.leasedBy });
    return { kind: "claimed", lease };
  });
}

function refusalOf(row: FeedRow | undefined, byHand: boolean, now: UnixMs): "off" | "busy" | "not-due" | undefined {
  if (row === undefined || row.mode === "off") return "off";
  if (row.leasedUntil !== undefined && row.leasedUntil > now) return "busy";
  return !byHand && row.nextAt !== undefined && row.nextAt > now ? "not-due" : undefined;
}
