/** SQL of the list that the feeds make: what they name, what is listed for them, which fetch that rests on. */
import { LIST_EXEMPT, type ListNo, rank } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import type { Sql } from "../store/sql.ts";
import type { FeedWish, PresentListing } from "./plan-listings.ts";

export interface ListBasis {
  readonly fetchNo: number;
  /** An operator has seen the list that this rests on. */
  readonly isApproved: boolean;
}

/** The newest list that was taken, of whichever feed; moves exactly when `feed_prefixes` is replaced. */
export async function selectBasis(sql: Sql): Promise<ListBasis | undefined> {
  const [row] = await sql<{ fetch_no: number; outcome: string }[]>`
    select fetch_no, outcome from feed_fetches where outcome in ('fetched', 'approved') order by fetch_no desc limit 1`;
  return row === undefined ? undefined : { fetchNo: row.fetch_no, isApproved: row.outcome === "approved" };
}

export async function selectWishes(sql: Sql, list: ListNo): Promise<FeedWish[]> {
  const rows = await sql<
    { prefix: string; feed_no: number; confidence: number; fetched: number; stale_after_seconds: number }[]
  >`
    select named.prefix, named.feed_no, named.confidence, feeds.stale_after_seconds,
      floor(extract(epoch from feed_fetches.fetched_at))::float8 as fetched
    from feed_prefixes named join feeds using (feed_no)
      join feed_fetches on feed_fetches.fetch_no = named.last_fetch_no
    where feeds.list_no = ${list} and feeds.mode = 'enforce'`;
  return rows.map((row) => ({
    prefix: parsePrefix(row.prefix),
    feed: String(row.feed_no),
    confidence: row.confidence,
    fetchedAt: unixSeconds(row.fetched),
    staleAfterSeconds: row.stale_after_seconds,
  }));
}

export async function selectPresent(sql: Sql, list: ListNo): Promise<Map<Prefix, PresentListing>> {
  const rows = await sql<
    { prefix: string; until: number | null; rank: number; reasons: { kind: string; key: string }[] }[]
  >`
    select prefix, extract(epoch from until)::float8 as until, rank, reasons
    from listings where list_no = ${list} and reasons @> '[{"kind": "feed"}]'`;
  return new Map(
    rows.map((row) => {
      const feeds = row.reasons.filter((reason) => reason.kind === "feed").map((reason) => reason.key);
      const until = row.until === null ? OPEN_ENDED : unixSeconds(Math.floor(row.until));
      return [parsePrefix(row.prefix), { until, rank: rank(row.rank), feeds: feeds.sort() }];
    }),
  );
}

/** Allowed, pardoned or a hole, and in force. */
export async function selectExempt(sql: Sql, now: UnixSeconds): Promise<Prefix[]> {
  const rows = await sql<{ prefix: string }[]>`
    select prefix from listings
    where list_no = ${LIST_EXEMPT} and (until is null or until > to_timestamp(${now}::float8))`;
  return rows.map((row) => parsePrefix(row.prefix));
}

/** Numbers of feeds that may list nothing, though something may still be listed for them. */
export async function selectNotEnforced(sql: Sql): Promise<Set<string>> {
  const rows = await sql<{ feed_no: number }[]>`select feed_no from feeds where mode <> 'enforce'`;
  return new Set(rows.map((row) => String(row.feed_no)));
}
