/** SQL of the list that the feeds make: what they name, what is listed for them, which fetch that rests on. */
import { LIST_EXEMPT, type ListNo, listNo, rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { FeedWish, PresentListing } from "./plan-listings.ts";

/** What a plan was made from: while it is the same, the plan holds. */
export interface ListBasis {
  /** Equal texts = the feeds name the same, for the same lists, since the same time. */
  readonly state: string;
  /** The newest list that was taken, of whichever feed. */
  readonly fetchNo: number | undefined;
  /** An operator has seen the list that this rests on. */
  readonly isApproved: boolean;
  /** Lists that feeds go to, or went to before. */
  readonly lists: readonly ListNo[];
  /** Who has each feed, by its number. */
  readonly leases: ReadonlyMap<number, string | null>;
}

export async function selectBasis(sql: Sql): Promise<ListBasis> {
  const rows = await sql<
    {
      feed_no: number;
      list_no: number;
      left_list_no: number | null;
      fetch_no: number | null;
      outcome: string | null;
      confirmed: number | null;
      mode: string;
      stale_after_seconds: number;
      leased_by: string | null;
    }[]
  >`
    select feed_no, list_no, left_list_no, taken_fetch_no as fetch_no, extract(epoch from confirmed_at)::float8 as confirmed,
      mode, stale_after_seconds, leased_by, (select outcome from feed_fetches where fetch_no = feeds.taken_fetch_no) as outcome
    from feeds order by feed_no`;
  const newest = rows.reduce<(typeof rows)[number] | undefined>(
    (best, row) => ((row.fetch_no ?? 0) > (best?.fetch_no ?? 0) ? row : best),
    undefined,
  );
  const lists = rows.flatMap((row) => [row.list_no, row.left_list_no ?? row.list_no]);
  return {
    state: JSON.stringify(rows.map(({ outcome: _, leased_by: __, ...row }) => Object.values(row))),
    fetchNo: newest?.fetch_no ?? undefined,
    isApproved: newest?.outcome === "approved",
    lists: [...new Set(lists)].map(listNo),
    leases: new Map(rows.map((row) => [row.feed_no, row.leased_by])),
  };
}

/** What the feeds in force that go to the list name. */
export async function selectWishes(sql: Sql, list: ListNo): Promise<FeedWish[]> {
  const rows = await sql<{ prefix: string; feed_no: number; confidence: number }[]>`
    select named.prefix::text, named.feed_no, named.confidence
    from feed_prefixes named join feeds using (feed_no)
    where feeds.list_no = ${list} and feeds.mode = 'enforce'
    order by named.prefix`;
  const feeds = await sql<{ feed_no: number; confirmed: number; stale_after_seconds: number }[]>`
    select feed_no, floor(extract(epoch from confirmed_at))::float8 as confirmed, stale_after_seconds
    from feeds where confirmed_at is not null`;
  const times = new Map(feeds.map((feed) => [feed.feed_no, feed]));
  return rows.flatMap(({ prefix, feed_no: feedNo, confidence }) => {
    const feed = times.get(feedNo);
    if (feed === undefined) return [];
    const [fetchedAt, staleAfterSeconds] = [unixSeconds(feed.confirmed), feed.stale_after_seconds];
    return [{ prefix: prefixFromSql(prefix), feed: String(feedNo), confidence, fetchedAt, staleAfterSeconds }];
  });
}

export async function selectPresent(sql: Sql, list: ListNo): Promise<Map<Prefix, PresentListing>> {
  const rows = await sql<
    { prefix: string; until: number | null; rank: number; reasons: { kind: string; key: string }[] }[]
  >`
    select prefix::text, extract(epoch from until)::float8 as until, rank, reasons
    from listings where list_no = ${list} and reasons @> '[{"kind": "feed"}]' order by prefix`;
  return new Map(
    rows.map((row) => {
      const feeds = row.reasons.filter((reason) => reason.kind === "feed").map((reason) => reason.key);
      const until = row.until === null ? OPEN_ENDED : unixSeconds(Math.floor(row.until));
      return [prefixFromSql(row.prefix), { until, rank: rank(row.rank), feeds: feeds.sort() }];
    }),
  );
}

/** Allowed, pardoned or a hole, and in force. */
export async function selectExempt(sql: Sql, now: UnixSeconds): Promise<Prefix[]> {
  const rows = await sql<{ prefix: string }[]>`
    select prefix::text from listings
    where list_no = ${LIST_EXEMPT} and (until is null or until > to_timestamp(${now}::float8))`;
  return rows.map((row) => prefixFromSql(row.prefix));
}

/** Numbers of feeds that may list nothing, though something may still be listed for them. */
export async function selectNotEnforced(sql: Sql): Promise<Set<string>> {
  const rows = await sql<{ feed_no: number }[]>`select feed_no from feeds where mode <> 'enforce'`;
  return new Set(rows.map((row) => String(row.feed_no)));
}
