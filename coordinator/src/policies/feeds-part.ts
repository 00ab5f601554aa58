/** What a policy changes on the lists of the feeds: by what the feeds named last, and by the modes that it gives them. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { FeedDefinition } from "../feeds/feed.ts";
import { selectExempt, selectPresent } from "../feeds/list-queries.ts";
import { type FeedWish, planListings, V6_NETWORK, wantedListings } from "../feeds/plan-listings.ts";
import { createPrefixCover } from "../feeds/prefix-cover.ts";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import { changeOf, type PlannedChange } from "./plan-lists.ts";

export interface FeedsPart {
  readonly changes: readonly PlannedChange[];
  /** What feeds name that is not listed there yet, whether or not it may be. */
  readonly named: readonly { readonly list: ListNo; readonly prefix: Prefix }[];
  /** Feeds that it enforces and of which nothing was fetched yet: what they would list nobody knows. */
  readonly unknown: readonly string[];
}

interface NamedFeed {
  readonly feedNo: number;
  readonly name: string;
  readonly listNo: ListNo;
  readonly confirmedAt: UnixSeconds | undefined;
}

export async function planFeeds(
  sql: Sql,
  definitions: readonly FeedDefinition[],
  listNumbers: ReadonlyMap<string, ListNo>,
  now: UnixSeconds,
): Promise<FeedsPart> {
  const feeds = await selectFeeds(sql);
  const byName = new Map(feeds.map((feed) => [feed.name, feed]));
  const enforced = definitions.filter(({ mode }) => mode === "enforce");
  const isKnown = ({ name }: FeedDefinition) => byName.get(name)?.confirmedAt !== undefined;
  const exempt = createPrefixCover([...(await selectExempt(sql, now)), ...(await selectOwn(sql))], [V6_NETWORK]);
  const goingTo = new Map(enforced.map((feed) => [feed, listNumbers.get(feed.list)]));
  const lists = new Set([...feeds.map(({ listNo }) => listNo), ...goingTo.values()]);
  const names = new Map(feeds.map(({ feedNo, name }) => [String(feedNo), name]));
  const changes: PlannedChange[] = [];
  const named: { list: ListNo; prefix: Prefix }[] = [];
  for (const list of lists) {
    if (list === undefined) continue;
    const wishes = await wishesOf(
      sql,
      enforced.filter((feed) => goingTo.get(feed) === list),
      byName,
    );
    const present = await selectPresent(sql, list);
    for (const { prefix } of wishes) if (!present.has(prefix)) named.push({ list, prefix });
    for (const { prefix, to } of planListings(wantedListings(wishes, exempt, now), present)) {
      const listed = present.get(prefix);
      const before = listed === undefined || isExpired(listed.until, now) ? undefined : listed;
      const feedNames = (to ?? listed)?.feeds.map((feed) => `feed ${names.get(feed) ?? feed}`) ?? [];
      const change = changeOf({ list, prefix }, before, to, feedNames);
      if (change !== undefined) changes.push(change);
    }
  }
  return { changes, named, unknown: enforced.filter((feed) => !isKnown(feed)).map(({ name }) => name) };
}

async function wishesOf(
  sql: Sql,
  definitions: readonly FeedDefinition[],
  feeds: ReadonlyMap<string, NamedFeed>,
): Promise<FeedWish[]> {
  const wishes: FeedWish[] = [];
  for (const definition of definitions) {
    const feed = feeds.get(definition.name);
    if (feed?.confirmedAt === undefined) continue;
    const rows = await sql<{ prefix: string; confidence: number }[]>`
      select prefix::text, confidence from feed_prefixes
      where feed_no = ${feed.feedNo} and confidence >= ${minimumOf(definition)}`;
    const { staleAfterSeconds } = definition;
    for (const { prefix, confidence } of rows) {
      const named = { prefix: prefixFromSql(prefix), feed: String(feed.feedNo), confidence };
      wishes.push({ ...named, fetchedAt: feed.confirmedAt, staleAfterSeconds });
    }
  }
  return wishes;
}

function minimumOf(feed: FeedDefinition): number {
  return feed.kind === "abuseipdb" ? feed.abuseipdb.confidenceMinimum : feed.settings.confidenceMinimum;
}

async function selectFeeds(sql: Sql): Promise<NamedFeed[]> {
  const rows = await sql<{ feed_no: number; name: string; list_no: ListNo; confirmed: number | null }[]>`
    select feed_no, name, list_no, floor(extract(epoch from confirmed_at))::float8 as confirmed from feeds`;
  return rows.map((row) => ({
    feedNo: row.feed_no,
    name: row.name,
    listNo: row.list_no,
    confirmedAt: row.confirmed === null ? undefined : unixSeconds(row.confirmed),
  }));
}

async function selectOwn(sql: Sql) {
  const rows = await sql<{ address: string }[]>`select distinct address::cidr::text as address from agent_addresses`;
  return rows.map(({ address }) => prefixFromSql(address));
}
