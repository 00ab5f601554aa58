/**
 * What part of a list's listings is whose, by rank. Counted anew after a while: feeds are fetched daily, and counting a
 * list of half a million takes the database seconds.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Sql } from "../store/sql.ts";
import { enforcedFeeds, listingsByFeed } from "./queries.ts";

/** By feed, for one rank. */
export type SharesOf = (rank: number) => ReadonlyMap<number, number>;

export type FeedShares = (sql: Sql, list: ListNo) => Promise<SharesOf>;

const COUNTED_FOR_MS = 600_000;
const NONE: ReadonlyMap<number, number> = new Map();

export function createFeedShares(clock: Pick<Clock, "monotonicMs">): FeedShares {
  const kept = new Map<ListNo, { readonly atMs: number; readonly shares: SharesOf }>();
  return async (sql, list) => {
    const known = kept.get(list);
    if (known !== undefined && clock.monotonicMs() - known.atMs < COUNTED_FOR_MS) return known.shares;
    const shares = await countShares(sql, list);
    kept.set(list, { atMs: clock.monotonicMs(), shares });
    return shares;
  };
}

async function countShares(sql: Sql, list: ListNo): Promise<SharesOf> {
  const feeds = await enforcedFeeds(sql, list);
  if (feeds.length <= 1) {
    const all = new Map(feeds.map((feed) => [feed, 1])); // all of it is its own: nothing to count
    return () => all;
  }
  const byRank = await listingsByFeed(sql, list);
  return (rank) => byRank.get(rank) ?? NONE;
}
