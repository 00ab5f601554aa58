/** SQL of what was dropped: by prefix, list and feed, over so many days (UTC), today included. */
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";

export interface TopHit {
  readonly list: ListNo;
  readonly prefix: Prefix;
  readonly packets: number;
  readonly bytes: number;
  readonly agents: number;
  readonly lastAtMs: number;
  readonly isListed: boolean;
}

export interface ListPackets {
  readonly list: ListNo;
  readonly packets: number;
  readonly bytes: number;
}

export interface FeedPackets {
  readonly feedNo: number;
  readonly rank: number;
  readonly packets: number;
  readonly bytes: number;
  readonly lastAtMs: number;
}

export interface FeedEntries {
  readonly feedNo: number;
  readonly confidence: number;
  readonly entries: number;
  readonly unique: number;
}

export interface HitsOf {
  readonly packets: number;
  readonly lastAtMs: number;
}

/** What can be read back exactly. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

export async function topHits(
  sql: Sql,
  { days, list, limit }: { days: number; list: ListNo | undefined; limit: number },
): Promise<TopHit[]> {
  const isWanted = list === undefined ? sql`true` : sql`list_no = ${list}`;
  const rows = await sql<
    {
      list_no: number;
      prefix: string;
      packets: number;
      bytes: number;
      agents: number;
      last_at: Date;
      listed: boolean;
    }[]
  >`
    with top as (
      select list_no, prefix, ${sumOf(sql, "packets")} as packets, ${sumOf(sql, "bytes")} as bytes, max(last_at) as last_at
      from hits where ${isWithin(sql, days)} and ${isWanted}
      group by list_no, prefix order by packets desc, list_no, prefix limit ${limit})
    select list_no, prefix::text, packets, bytes, last_at,
      (select count(distinct agent_no) from hits h, unnest(h.agent_nos) as agent_no
        where h.list_no = top.list_no and h.prefix = top.prefix and ${isWithin(sql, days)})::int as agents,
      exists (select from listings l where l.list_no = top.list_no and l.prefix = top.prefix) as listed
    from top order by packets desc, list_no, prefix`;
  return rows.map((row) => ({
    list: listNo(row.list_no),
    prefix: prefixFromSql(row.prefix),
    packets: row.packets,
    bytes: row.bytes,
    agents: row.agents,
    lastAtMs: row.last_at.getTime(),
    isListed: row.listed,
  }));
}

export async function packetsByList(sql: Sql, days: number): Promise<ListPackets[]> {
  const rows = await sql<{ list_no: number; packets: number; bytes: number }[]>`
    select list_no, ${sumOf(sql, "packets")} as packets, ${sumOf(sql, "bytes")} as bytes
    from hit_totals where ${isWithin(sql, days)} group by list_no order by list_no`;
  return rows.map(({ list_no: no, ...counts }) => ({ list: listNo(no), ...counts }));
}

export async function packetsByFeed(sql: Sql, days: number): Promise<FeedPackets[]> {
  const rows = await sql<{ feed_no: number; rank: number; packets: number; bytes: number; last_at: Date | null }[]>`
    select feed_no, rank, ${sumOf(sql, "packets")} as packets, ${sumOf(sql, "bytes")} as bytes, max(last_at) as last_at
    from hit_totals where feed_no > 0 and ${isWithin(sql, days)} group by feed_no, rank order by feed_no, rank`;
  return rows.map(({ feed_no: feedNo, last_at: at, ...row }) => ({ feedNo, ...row, lastAtMs: at?.getTime() ?? 0 }));
}

/** A look at every prefix of every feed: for an operator who asks, not for a scrape. */
export async function entriesByFeed(sql: Sql): Promise<FeedEntries[]> {
  const rows = await sql<{ feed_no: number; confidence: number; entries: number; unique_entries: number }[]>`
    select feed_no, confidence, count(*)::int as entries,
      count(*) filter (where not exists (
        select from feed_prefixes o join feeds using (feed_no)
        where o.prefix = f.prefix and o.feed_no <> f.feed_no and mode <> 'off'))::int as unique_entries
    from feed_prefixes f group by feed_no, confidence`;
  return rows.map(({ feed_no: feedNo, confidence, entries, unique_entries: unique }) => {
    return { feedNo, confidence, entries, unique };
  });
}

/** Of these prefixes, on any list. */
export async function hitsOf(sql: Sql, prefixes: readonly Prefix[], days: number): Promise<HitsOf> {
  const [row] = await sql<{ packets: number; last_at: Date | null }[]>`
    select ${sumOf(sql, "packets")} as packets, max(last_at) as last_at from lists join hits using (list_no)
    where prefix = any(${[...prefixes]}::cidr[]) and ${isWithin(sql, days)}`;
  return { packets: row?.packets ?? 0, lastAtMs: row?.last_at?.getTime() ?? 0 };
}

/** When the policy ended a ban of it; undefined = it did not. */
export async function prunedAtMs(sql: Sql, prefix: Prefix): Promise<number | undefined> {
  const [row] = await sql<{ at: Date | null }[]>`
    select max(ended_at) as at from bans where prefix = ${prefix} and pruned`;
  return row?.at?.getTime();
}

function isWithin(sql: Sql, days: number) {
  return sql`day > (clock_timestamp() at time zone 'utc')::date - ${days}::int`;
}

function sumOf(sql: Sql, column: "packets" | "bytes") {
  return sql`least(coalesce(sum(${sql.unsafe(column)}), 0), ${MAX_COUNT}::bigint)::bigint`;
}
