/**
 * A feed's turn: claim it, ask, record what came, bring the list up to it, give it back.
 *
 * Each step is committed before the next, and each can be the last one of a crashed run: the lease runs out, and the next
 * turn of whichever replica finishes what is left before it asks for anything new.
 */
import { unixMs } from "@fleetban/proto/model/time";
import { claimFeed } from "./claim-feed.ts";
import { defineFeeds } from "./define-feeds.ts";
import type { FeedDefinition, FetchOutcome } from "./feed.ts";
import { fetchFeed } from "./fetch-feed.ts";
import { endLease, leaseEnd, newLease } from "./lease.ts";
import type { FeedsParts } from "./parts.ts";
import { selectAbandoned, selectFeedForUpdate, updateFeedTurn } from "./queries.ts";
import { settleFetch } from "./settle-fetch.ts";
import { syncListings } from "./sync-listings.ts";

export type RefreshOutcome = FetchOutcome | "off" | "busy" | "not-due" | "lost";

export interface Refreshed {
  readonly outcome: RefreshOutcome;
  /** Why it brought no list, or why its list is held. */
  readonly reason?: string;
  /** Listings put, extended and removed. */
  readonly changed: number;
}

/** The job: every feed that is due has its turn, after what crashed runs left undone. */
export async function refreshFeeds(parts: FeedsParts, signal: AbortSignal): Promise<void> {
  const definitions = parts.definitions();
  const homeless = await defineFeeds(parts.store, definitions);
  if (homeless.length > 0) parts.log.warn("feeds.list_missing", { feeds: homeless });
  const abandoned = await selectAbandoned(parts.store.sql, unixMs(parts.ledger.ledgerTimeMs()));
  for (const name of abandoned) await finishAbandoned(parts, name, signal);
  for (const feed of definitions) {
    signal.throwIfAborted();
    await refreshFeed(parts, feed, false, signal);
  }
}

/** `byHand` asks although it is not due, and may use the calls that the schedule keeps for it. */
export async function refreshFeed(
  parts: FeedsParts,
  feed: FeedDefinition,
  byHand: boolean,
  signal: AbortSignal,
): Promise<Refreshed> {
  const claim = await claimFeed(parts, feed, byHand);
  if (claim.kind === "exhausted") {
    const until = new Date(claim.until).toISOString().slice(0, 19).replace("T", " ");
    const reason = `it may not be asked again before ${until} UTC`;
    return { outcome: "quota-exhausted", reason, changed: 0 };
  }
  if (claim.kind !== "claimed") return { outcome: claim.kind, changed: 0 };
  const answer = await fetchFeed(parts, feed, claim.lease.feedNo, signal);
  const { outcome, reason } = await settleFetch(parts, feed, claim.lease, answer);
  const changed =
    outcome === "fetched" || outcome === "unchanged" ? (await syncListings(parts, claim.lease, signal)).changed : 0;
  await endLease(parts, claim.lease);
  const level = outcome === "fetched" || outcome === "unchanged" ? "info" : "warn";
  const refused = answer.kind === "list" ? answer.list.refused : undefined;
  parts.log[level]("feeds.refreshed", { feed: feed.name, outcome, reason, changed, refused });
  return { outcome, changed, ...(reason === undefined ? {} : { reason }) };
}

/** A lease that has run out but was not given back: its run ended somewhere on the way, or the mode was changed. */
async function finishAbandoned(parts: FeedsParts, name: string, signal: AbortSignal): Promise<void> {
  const lease = await parts.store.transaction(async (sql) => {
    const row = await selectFeedForUpdate(sql, name);
    if (row?.leasedUntil === undefined || row.leasedUntil > parts.ledger.ledgerTimeMs()) return undefined;
    const taken = newLease(parts, row.feedNo);
    const { nextAt, quota } = row;
    const leasedUntil = leaseEnd(parts.ledger.ledgerTimeMs());
    await updateFeedTurn(sql, row.feedNo, { nextAt, quota, leasedUntil, leasedBy: taken.leasedBy });
    return taken;
  });
  if (lease === undefined) return;
  const { changed } = await syncListings(parts, lease, signal);
  await endLease(parts, lease);
  parts.log.info("feeds.finished_abandoned", { feed: name, changed });
}
