/** Where each feed stands, for `status`, `feeds list`, metrics and warnables. */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { FeedMode, RefusedCounts, RefusedLine } from "./feed.ts";
import { type Licence, licenceOf } from "./licence.ts";
import type { FetchDetails } from "./queries.ts";
import { callsUsed, limitOf, NO_CALLS, type Quota } from "./quota.ts";

export interface FeedStatus {
  readonly feedNo: number;
  readonly name: string;
  readonly kind: string;
  readonly mode: FeedMode;
  /** Prefixes that it names, in force or not. */
  readonly entries: number;
  /** The last good answer, whether or not it brought something new. */
  readonly fetchedAtMs: UnixMs | undefined;
  readonly generatedAtMs: UnixMs | undefined;
  readonly nextAtMs: UnixMs | undefined;
  /** Of the last fetch; `never` before the first. */
  readonly outcome: string;
  readonly reason: string | undefined;
  readonly quotaLimit: number;
  readonly quotaUsed: number;
  /** Of the last list that was read, good or not. */
  readonly refusedEntries: number;
  readonly refused: RefusedCounts;
  readonly refusedLines: readonly RefusedLine[];
  readonly licence: Licence;
  /** Address or path; without a secret. */
  readonly at: string;
  readonly listName: string;
  readonly holdNo: number | undefined;
  readonly everySeconds: number;
  readonly staleAfterSeconds: number;
}

interface StatusRow {
  readonly feed_no: number;
  readonly name: string;
  readonly kind: string;
  readonly mode: FeedMode;
  readonly settings: { callsPerDay?: number; everySeconds?: number; at?: string };
  readonly stale_after_seconds: number;
  readonly next_at: Date | null;
  readonly quota: Partial<Quota>;
  readonly entries: number | null;
  readonly good_at: Date | null;
  readonly generated_at: Date | null;
  readonly refused: number | null;
  readonly details: FetchDetails | null;
  readonly licence: number;
  readonly list_name: string;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly hold_no: number | null;
}

const EVERY_DEFAULT_SECONDS = 86_400;

export async function feedStatuses(sql: Sql, now: UnixMs): Promise<FeedStatus[]> {
  const rows = await sql<StatusRow[]>`
    select feeds.feed_no, feeds.name, kind, mode, settings, stale_after_seconds, next_at, quota, licence,
      (select name from lists where list_no = feeds.list_no) as list_name,
      -- as many as it has rows in feed_prefixes, without counting them for every health check
      (select entries from feed_fetches
        where feed_no = feeds.feed_no and outcome in ('fetched', 'approved')
        order by fetch_no desc limit 1) as entries,
      -- a publisher who confirms a list does not say again when it was made
      (select generated_at from feed_fetches
        where feed_no = feeds.feed_no and outcome in ('fetched', 'unchanged', 'approved')
          and (outcome <> 'unchanged' or generated_at is not null)
        order by fetch_no desc limit 1) as generated_at,
      good.fetched_at as good_at, read.refused, read.details, newest.outcome, newest.reason,
      (select hold_no from holds
        where subject = 'feed' and subject_no = feeds.feed_no and resolved_at is null) as hold_no
    from feeds
      left join lateral (
        select fetched_at from feed_fetches
        where feed_no = feeds.feed_no and outcome in ('fetched', 'unchanged', 'approved')
        order by fetch_no desc limit 1) good on true
      left join lateral (
        select refused, details from feed_fetches
        where feed_no = feeds.feed_no and details is not null order by fetch_no desc limit 1) read on true
      left join lateral (
        select outcome, reason from feed_fetches where feed_no = feeds.feed_no order by fetch_no desc limit 1) newest on true
    order by feeds.feed_no`;
  return rows.map((row) => statusFromRow(row, now));
}

function statusFromRow(row: StatusRow, now: UnixMs): FeedStatus {
  const quota: Quota = { ...NO_CALLS, ...row.quota };
  return {
    feedNo: row.feed_no,
    name: row.name,
    kind: row.kind,
    mode: row.mode,
    entries: row.entries ?? 0,
    fetchedAtMs: moment(row.good_at),
    generatedAtMs: moment(row.generated_at),
    nextAtMs: moment(row.next_at),
    outcome: row.outcome ?? "never",
    reason: row.reason ?? undefined,
    quotaLimit: limitOf(quota, { callsPerDay: row.settings.callsPerDay ?? 0 }),
    quotaUsed: callsUsed(quota, now),
    refusedEntries: row.refused ?? 0,
    refused: row.details?.refused ?? {},
    refusedLines: row.details?.refusedLines ?? [],
    licence: licenceOf(row.licence),
    at: row.settings.at ?? "",
    listName: row.list_name,
    holdNo: row.hold_no ?? undefined,
    everySeconds: row.settings.everySeconds ?? EVERY_DEFAULT_SECONDS,
    staleAfterSeconds: row.stale_after_seconds,
  };
}

function moment(at: Date | null): UnixMs | undefined {
  return at === null ? undefined : unixMs(at.getTime());
}
