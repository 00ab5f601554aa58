/** What the fleet's kernels dropped, as operators see it. */
import type { FeedStatus, ListFeedsRequest, ListHitsRequest, ListHitsResponse } from "@fleetban/proto/wire/admin";
import { feedValue } from "../hits/feed-value.ts";
import { overlapsByFeed } from "../hits/overlap-queries.ts";
import { entriesByFeed, packetsByFeed, packetsByList, topHits } from "../hits/value-queries.ts";
import { AdminError } from "./errors.ts";
import { feedMessages } from "./feeds.ts";
import type { AdminParts } from "./parts.ts";

const DAYS = 7;
/** As long as they are kept. */
const MAX_DAYS = 90;
const MAX_VALUE_DAYS = 400;
const PREFIXES = 20;
const MAX_PREFIXES = 10_000;

export async function listHits(parts: AdminParts, request: ListHitsRequest): Promise<ListHitsResponse> {
  const { sql } = parts.store;
  const days = daysOf(request.days || DAYS, MAX_DAYS);
  const limit = Math.min(request.limit || PREFIXES, MAX_PREFIXES);
  const heads = parts.ledger.lists().map(({ list }) => list);
  const wanted = heads.find(({ name }) => name === request.list);
  if (request.list !== "" && wanted === undefined) {
    const hint = `there are: ${heads.map(({ name }) => name).join(", ")}`;
    throw new AdminError("not-found", `list ${request.list}: does not exist`, { hint });
  }
  const nameOf = (no: number) => heads.find(({ list }) => list === no)?.name ?? String(no);
  const prefixes = await topHits(sql, { days, limit, list: wanted?.list });
  const lists = await packetsByList(sql, days);
  return {
    days,
    prefixes: prefixes.map(({ list, isListed, ...hit }) => ({ ...hit, list: nameOf(list), listed: isListed })),
    lists: lists
      .filter(({ list }) => wanted === undefined || list === wanted.list)
      .map(({ list, ...counts }) => ({ ...counts, list: nameOf(list) })),
  };
}

export async function feedsWithValue(parts: AdminParts, { valueDays }: ListFeedsRequest): Promise<FeedStatus[]> {
  const feeds = await feedMessages(parts);
  if (valueDays === 0) return feeds;
  const days = daysOf(valueDays, MAX_VALUE_DAYS);
  const { sql } = parts.store;
  const known = {
    entries: await entriesByFeed(sql),
    packets: await packetsByFeed(sql, days),
    overlaps: await overlapsByFeed(sql, days),
  };
  return feeds.map((feed) => ({ ...feed, value: feedValue(feed.feedNo, days, known) }));
}

function daysOf(days: number, most: number): number {
  if (days <= most) return days;
  throw new AdminError("bad-argument", `${days} days: hits are kept for ${most} days`, {
    hint: `ask for ${most} or less`,
  });
}
