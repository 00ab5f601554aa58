/**
 * An operator's word on a list that was held: let it in as it came, or throw it away. No further call is made either way.
 *
 * An approved list goes to the agents marked so, because their own brake would stop it again.
 */
import { unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import { entryMoves } from "./entry-moves.ts";
import type { FeedMode } from "./feed.ts";
import { closeHold, type FeedHold, selectOpenFeedHold } from "./hold-queries.ts";
import { endLease, leaseEnd, newLease } from "./lease.ts";
import type { FeedsParts } from "./parts.ts";
import {
  confirmFeed,
  insertApproval,
  replaceFeedEntries,
  selectFeedEntries,
  selectFeedForUpdate,
  updateFeedTurn,
} from "./queries.ts";
import { syncListings } from "./sync-listings.ts";

export interface HoldAnswer {
  readonly holdNo: number;
  readonly approve: boolean;
  /** Name of the operator. */
  readonly by: string;
  /** Told to the audit log in the transaction of the answer: what follows from it may be broken off. */
  readonly record?: (sql: Sql) => Promise<unknown>;
}

export type HoldResolved =
  | {
      readonly kind: "approved";
      readonly feed: string;
      readonly mode: FeedMode;
      readonly entries: number;
      readonly changed: number;
    }
  | { readonly kind: "rejected"; readonly feed: string }
  /** No open hold of a feed has that number. */
  | { readonly kind: "not-open" }
  /** The feed has its turn just now; ask again. */
  | { readonly kind: "busy"; readonly feed: string };

export async function resolveFeedHold(
  parts: FeedsParts,
  answer: HoldAnswer,
  signal: AbortSignal,
): Promise<HoldResolved> {
  const resolved = await parts.store.transaction(async (sql) => {
    const hold = await selectOpenFeedHold(sql, answer.holdNo);
    if (hold === undefined) return { kind: "not-open" as const };
    const outcome = answer.approve ? await approve(sql, parts, hold, answer.by) : await reject(sql, hold, answer.by);
    if (outcome.kind !== "busy") await answer.record?.(sql);
    return outcome;
  });
  parts.log.info("feeds.hold_resolved", { hold: answer.holdNo, outcome: resolved.kind, by: answer.by });
  if (resolved.kind !== "approved") return resolved;
  const { lease, ...told } = resolved;
  const { changed } = await syncListings(parts, lease, signal);
  await endLease(parts, lease);
  return { ...told, changed };
}

async function reject(sql: Sql, { holdNo, feed }: FeedHold, by: string) {
  await closeHold(sql, holdNo, by, "rejected");
  return { kind: "rejected" as const, feed };
}

/** The operator vouches for it now: its listings live from now on, not from when it came. */
async function approve(sql: Sql, parts: FeedsParts, hold: FeedHold, by: string) {
  const { feed, feedNo, entries } = hold;
  const row = await selectFeedForUpdate(sql, feed);
  const now = unixMs(parts.ledger.ledgerTimeMs());
  if (row === undefined || (row.leasedUntil !== undefined && row.leasedUntil > now)) {
    return { kind: "busy" as const, feed };
  }
  const { nextAt, quota } = row;
  const lease = newLease(parts, feedNo);
  await updateFeedTurn(sql, feedNo, { nextAt, quota, leasedUntil: leaseEnd(now), leasedBy: lease.leasedBy });
  const fetchNo = await insertApproval(sql, hold.fetchNo, now, entries.length);
  await replaceFeedEntries(sql, feedNo, fetchNo, entryMoves(await selectFeedEntries(sql, feedNo), entries));
  await confirmFeed(sql, feedNo, now);
  await closeHold(sql, hold.holdNo, by, "approved");
  return { kind: "approved" as const, feed, lease, mode: row.mode, entries: entries.length };
}
