/** SQL of a feed's past: its last fetches for operators, and what nobody asks for any more. */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { FetchOutcome } from "./feed.ts";

export interface RecentFetch {
  readonly fetchNo: number;
  readonly fetchedAt: UnixMs;
  readonly generatedAt: UnixMs | undefined;
  readonly outcome: FetchOutcome;
  readonly reason: string | undefined;
  readonly entries: number | undefined;
  readonly refused: number | undefined;
}

/** Newest first. */
export async function recentFetches(sql: Sql, feedNo: number, limit: number): Promise<RecentFetch[]> {
  const rows = await sql<
    {
      fetch_no: number;
      fetched_at: Date;
      generated_at: Date | null;
      outcome: FetchOutcome;
      reason: string | null;
      entries: number | null;
      refused: number | null;
    }[]
  >`
    select fetch_no, fetched_at, generated_at, outcome, reason, entries, refused from feed_fetches
    where feed_no = ${feedNo} order by fetch_no desc limit ${limit}`;
  return rows.map((row) => ({
    fetchNo: row.fetch_no,
    fetchedAt: unixMs(row.fetched_at.getTime()),
    generatedAt: row.generated_at === null ? undefined : unixMs(row.generated_at.getTime()),
    outcome: row.outcome,
    reason: row.reason ?? undefined,
    entries: row.entries ?? undefined,
    refused: row.refused ?? undefined,
  }));
}

/** Fetches that brought no list: of interest for as long as somebody looks for the reason. */
export async function deleteOldFetches(sql: Sql, days: number): Promise<void> {
  await sql`
    delete from feed_fetches where not outcome in ('fetched', 'held', 'approved')
      and fetched_at < clock_timestamp() - ${days}::int * interval '1 day'`;
}

/**
 * What a feed named that has been off for so long. Its tags go too: asked again, its publisher must give the whole list.
 */
export async function deleteLongOff(sql: Sql, days: number): Promise<void> {
  await sql`
    with gone as (
      update feeds set taken_fetch_no = null
      where mode = 'off' and taken_fetch_no is not null
        and confirmed_at < clock_timestamp() - ${days}::int * interval '1 day'
      returning feed_no
    ), forgotten as (
      update feed_fetches set etag = null, last_modified = null, sha256 = null, generated_at = null
      from gone where feed_fetches.feed_no = gone.feed_no
    )
    delete from feed_prefixes using gone where feed_prefixes.feed_no = gone.feed_no`;
}
