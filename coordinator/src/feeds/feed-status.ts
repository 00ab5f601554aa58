/** Where each feed stands, for `status`, `feeds list`, metrics and warnables. */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { FeedMode } from "./feed.ts";
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
  readonly refusedEntries: number;
  readonly holdNo: number | undefined;
  readonly everySeconds: number;
  readonly staleAfterSeconds: number;
}

interface StatusRow {
  readonly feed_no: number;
  readonly name: string;
  readonly kind: string;
  readonly mode: FeedMode;
  readonly settings: { callsPerDay?: number; everySeconds?: number };
  readonly stale_after_seconds: number;
  readonly next_at: Date | null;
  readonly quota: Partial<Quota>;
  readonly entries: number | null;
  readonly good_at: Date | null;
  readonly generated_at: Date | null;
  readonly refused: number | null;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly hold_no: number | null;
}

const EVERY_DEFAULT_SECONDS = 86_400;

export async function feedStatuses(sql: Sql, now: UnixMs): Promise<FeedStatus[]> {
  const rows = await sql<StatusRow[]>`
    select feeds.feed_no, name, kind, mode, settings, stale_after_seconds, next_at, quota,
      -- as many as it has rows in feed_prefixes, without counting them for every health check
      (select entries from feed_fetches
        where feed_no = feeds.feed_no and outcome in ('fetched', 'approved')
        order by fetch_no desc limit 1) as entries,
      good.fetched_at as good_at, good.generated_at, good.refused, newest.outcome, newest.reason,
      (select hold_no from holds
        where subject = 'feed' and subject_no = feeds.feed_no and resolved_at is null) as hold_no
    from feeds
      left join lateral (
        select fetched_at, generated_at, refused from feed_fetches
        where feed_no = feeds.feed_no and outcome in ('fetched', 'unchanged', 'approved')
        order by fetch_no desc limit 1) good on true
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
    holdNo: row.hold_no ?? undefined,
    everySeconds: row.settings.everySeconds ?? EVERY_DEFAULT_SECONDS,
    staleAfterSeconds: row.stale_after_seconds,
  };
}

function moment(at: Date | null): UnixMs | undefined {
  return at === null ? undefined : unixMs(at.getTime());
}
