/** SQL of hits: sums by day, which feeds they are owed to, and which agents count. */
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { PrefixHits } from "./hit-totals.ts";

export interface DayTotal {
  readonly list: ListNo;
  readonly rank: number;
  /** 0 = of none. */
  readonly feedNo: number;
  readonly packets: number;
  readonly bytes: number;
}

/** A listing that was hit, and the feeds that it rests on. */
export interface ListedHits extends PrefixHits {
  readonly rank: number;
  readonly feeds: readonly number[];
}

interface Reason {
  readonly kind: string;
  readonly key: string;
}

/** What can be read back exactly; a sum stops there. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;
const MAX_AGENTS = 64;

export async function listedAmong(sql: Sql, hits: readonly PrefixHits[]): Promise<ListedHits[]> {
  if (hits.length === 0) return [];
  const rows = await sql<{ list_no: number; prefix: string; rank: number; reasons: Reason[] }[]>`
    select l.list_no, l.prefix::text, l.rank, l.reasons
    from unnest(${hits.map(({ list }) => list)}::int[], ${hits.map(({ prefix }) => prefix)}::cidr[]) as h (list_no, prefix)
    join listings l on l.list_no = h.list_no and l.prefix = h.prefix`;
  const known = new Map(rows.map((row) => [`${row.list_no} ${prefixFromSql(row.prefix)}`, row]));
  return hits.flatMap((hit) => {
    const row = known.get(`${hit.list} ${hit.prefix}`);
    return row === undefined ? [] : [{ ...hit, rank: row.rank, feeds: feedsOf(row.reasons) }];
  });
}

export async function insertHits(sql: Sql, hits: readonly PrefixHits[]): Promise<void> {
  if (hits.length === 0) return;
  const rows = hits.map(({ agents, ...hit }) => ({ ...hit, agent_nos: [...agents] }));
  await sql`
    insert into hits (day, list_no, prefix, packets, bytes, agents, agent_nos, last_at)
    select (clock_timestamp() at time zone 'utc')::date, list, prefix, packets, bytes,
      cardinality(agent_nos), agent_nos, clock_timestamp()
    from jsonb_to_recordset(${sql.json(rows as never)})
      as r (list int, prefix cidr, packets bigint, bytes bigint, agent_nos int[])
    order by list, prefix -- two replicas lock the rows in one order
    on conflict (list_no, prefix, day) do update set
      packets = least(hits.packets + excluded.packets, ${MAX_COUNT}::bigint),
      bytes = least(hits.bytes + excluded.bytes, ${MAX_COUNT}::bigint),
      agent_nos = ${bothAgents(sql)}, agents = cardinality(${bothAgents(sql)}), last_at = excluded.last_at`;
}

export async function insertTotals(sql: Sql, totals: readonly DayTotal[]): Promise<void> {
  if (totals.length === 0) return;
  await sql`
    insert into hit_totals (day, list_no, rank, feed_no, packets, bytes, last_at)
    select (clock_timestamp() at time zone 'utc')::date, list, rank, "feedNo", packets, bytes, clock_timestamp()
    from jsonb_to_recordset(${sql.json(totals as never)})
      as r (list int, rank smallint, "feedNo" int, packets bigint, bytes bigint)
    order by list, rank, "feedNo"
    on conflict (day, list_no, rank, feed_no) do update set
      packets = least(hit_totals.packets + excluded.packets, ${MAX_COUNT}::bigint),
      bytes = least(hit_totals.bytes + excluded.bytes, ${MAX_COUNT}::bigint), last_at = excluded.last_at`;
}

export async function listsOfFeeds(sql: Sql): Promise<ReadonlySet<ListNo>> {
  const rows = await sql<{ list_no: number }[]>`select distinct list_no from feeds`;
  return new Set(rows.map((row) => listNo(row.list_no)));
}

/** Feeds that list something, or may. */
export async function enforcedFeeds(sql: Sql, list: ListNo): Promise<number[]> {
  const rows = await sql<{ feed_no: number }[]>`
    select feed_no from feeds where list_no = ${list} and mode = 'enforce' order by feed_no`;
  return rows.map((row) => row.feed_no);
}

/** By rank and feed how many of the list's listings are the feed's; one that several name counts in parts. */
export async function listingsByFeed(sql: Sql, list: ListNo): Promise<Map<number, Map<number, number>>> {
  const rows = await sql<{ rank: number; feed_no: number; listings: number }[]>`
    select rank, feed_no, sum(1.0 / feeds)::float8 as listings
    from (
      select rank, (reason ->> 'key')::int as feed_no, count(*) over (partition by prefix) as feeds
      from listings, jsonb_array_elements(reasons) as reason
      where list_no = ${list} and reason ->> 'kind' = 'feed') named
    group by rank, feed_no`;
  const byRank = new Map<number, Map<number, number>>();
  for (const { rank, feed_no: feedNo, listings } of rows) {
    byRank.set(rank, (byRank.get(rank) ?? new Map<number, number>()).set(feedNo, listings));
  }
  return byRank;
}

/** One that counted and says that it does not any more begins anew when it does. */
export async function saveCounting(sql: Sql, counting: readonly number[], others: readonly number[]): Promise<void> {
  if (counting.length > 0) {
    await sql`
      insert into hit_counting (agent_no, counting_since, counted_at)
      select agent_no, clock_timestamp(), clock_timestamp() from unnest(${[...counting]}::int[]) as agent_no
      on conflict (agent_no) do update set counted_at = excluded.counted_at`;
  }
  if (others.length > 0) await sql`delete from hit_counting where agent_no = any(${[...others]}::int[])`;
}

/** Older than anybody looks back. */
export async function deleteOldHits(sql: Sql, hitDays: number, totalDays: number): Promise<void> {
  const today = sql`(clock_timestamp() at time zone 'utc')::date`;
  await sql`delete from hits where day < ${today} - ${hitDays}::int`;
  await sql`delete from hit_totals where day < ${today} - ${totalDays}::int`;
}

function bothAgents(sql: Sql) {
  return sql`(select coalesce(array_agg(agent_no), '{}') from (
    select agent_no from unnest(hits.agent_nos || excluded.agent_nos) as agent_no
    group by agent_no order by agent_no limit ${MAX_AGENTS}) known)`;
}

function feedsOf(reasons: readonly Reason[]): number[] {
  return reasons.filter(({ kind }) => kind === "feed").map(({ key }) => Number(key));
}
