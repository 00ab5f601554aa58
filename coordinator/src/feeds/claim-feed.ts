/**
 * Takes a feed for one turn: the lease and the call are booked, and committed, before anybody is asked.
 *
 * Of two replicas, or of a crashed run and its successor, one gets it. A call that is booked is spent, whatever becomes of
 * the run that booked it: so the publisher never sees more calls than its quota allows.
 */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { FeedDefinition } from "./feed.ts";
import type { FeedsParts } from "./parts.ts";
import { type FeedRow, selectFeedForUpdate, updateFeedTurn } from "./queries.ts";
import { bookCall, type Quota } from "./quota.ts";

export type Claim =
  | { readonly kind: "claimed"; readonly feedNo: number; readonly quota: Quota }
  | { readonly kind: "off" | "busy" | "not-due" }
  | { readonly kind: "exhausted"; readonly until: UnixMs };

/** Longer than a fetch and one slice take; it is extended with every slice. */
export const LEASE_MS = 3 * 60_000;
const JITTER_AFTER_RESET_MS = 30 * 60_000;

export async function claimFeed(parts: FeedsParts, feed: FeedDefinition, byHand: boolean): Promise<Claim> {
  return await parts.store.transaction(async (sql) => {
    const row = await selectFeedForUpdate(sql, feed.name);
    const now = unixMs(parts.ledger.ledgerTimeMs());
    const refusal = refusalOf(row, byHand, now);
    if (row === undefined || refusal !== undefined) return { kind: refusal ?? "off" };
    const booking = bookCall(row.quota, feed.abuseipdb, byHand, now);
    if (booking.kind === "exhausted") {
      const nextAt = unixMs(booking.until + Math.round(parts.random.unit() * JITTER_AFTER_RESET_MS));
      const { leasedUntil, leasedBy, quota } = row;
      if (!byHand) await updateFeedTurn(sql, row.feedNo, { nextAt, leasedUntil, leasedBy, quota });
      return booking;
    }
    const lease = { leasedUntil: unixMs(now + LEASE_MS), leasedBy: parts.runId };
    await updateFeedTurn(sql, row.feedNo, { nextAt: row.nextAt, ...lease, quota: booking.quota });
    return { kind: "claimed", feedNo: row.feedNo, quota: booking.quota };
  });
}

function refusalOf(row: FeedRow | undefined, byHand: boolean, now: UnixMs): "off" | "busy" | "not-due" | undefined {
  if (row === undefined || row.mode === "off") return "off";
  if (row.leasedUntil !== undefined && row.leasedUntil > now) return "busy";
  return !byHand && row.nextAt !== undefined && row.nextAt > now ? "not-due" : undefined;
}
