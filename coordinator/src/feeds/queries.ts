/** SQL of the feeds: their rows, leases and quotas, their fetches, and the prefixes that each names. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { FeedDefinition, FeedEntry, FeedMode, FetchOutcome } from "./feed.ts";
import { NO_CALLS, type Quota } from "./quota.ts";

export interface FeedRow {
  readonly feedNo: number;
  readonly mode: FeedMode;
  readonly nextAt: UnixMs | undefined;
  readonly leasedUntil: UnixMs | undefined;
  readonly leasedBy: string | undefined;
  readonly quota: Quota;
}

export interface FetchRow {
  readonly feedNo: number;
  readonly fetchedAt: UnixMs;
  readonly generatedAt?: UnixMs;
  readonly sha256?: string;
  readonly entries?: number;
  readonly refused?: number;
  readonly outcome: FetchOutcome;
  readonly reason?: string;
}

/** `nextAt` and the lease as they shall be from now on; an absent lease is given back. */
export interface FeedTurn {
  readonly nextAt: UnixMs | undefined;
  readonly leasedUntil: UnixMs | undefined;
  readonly leasedBy: string | undefined;
  readonly quota: Quota;
}

/** What is kept of a definition: all but the key. */
export interface KeptSettings {
  readonly everySeconds: number;
  readonly callsPerDay: number;
  readonly [setting: string]: string | number;
}

/** Times go in as seconds of the ledger's clock. */
const seconds = (at: UnixMs | undefined): number | null => (at === undefined ? null : at / 1_000);
const moment = (at: Date | null): UnixMs | undefined => (at === null ? undefined : unixMs(at.getTime()));

export async function selectFeedForUpdate(sql: Sql, name: string): Promise<FeedRow | undefined> {
  const [row] = await sql<
    {
      feed_no: number;
      mode: FeedMode;
      next_at: Date | null;
      leased_until: Date | null;
      leased_by: string | null;
      quota: Partial<Quota>;
    }[]
  >`select feed_no, mode, next_at, leased_until, leased_by, quota from feeds where name = ${name} for update`;
  if (row === undefined) return undefined;
  return {
    feedNo: row.feed_no,
    mode: row.mode,
    nextAt: moment(row.next_at),
    leasedUntil: moment(row.leased_until),
    leasedBy: row.leased_by ?? undefined,
    quota: { ...NO_CALLS, ...row.quota },
  };
}

export async function updateFeedTurn(sql: Sql, feedNo: number, turn: FeedTurn): Promise<void> {
  await sql`
    update feeds set
      next_at = to_timestamp(${seconds(turn.nextAt)}::float8),
      leased_until = to_timestamp(${seconds(turn.leasedUntil)}::float8),
      leased_by = ${turn.leasedBy ?? null},
      quota = ${sql.json({ ...turn.quota, calls: [...turn.quota.calls] })}
    where feed_no = ${feedNo}`;
}

/** False when somebody else has it by now. */
export async function extendLease(sql: Sql, feedNo: number, leasedBy: string, until: UnixMs): Promise<boolean> {
  const rows = await sql`
    update feeds set leased_until = to_timestamp(${seconds(until)}::float8)
    where feed_no = ${feedNo} and leased_by = ${leasedBy} returning feed_no`;
  return rows.length === 1;
}

export async function releaseLease(sql: Sql, feedNo: number, leasedBy: string): Promise<void> {
  await sql`
    update feeds set leased_until = null, leased_by = null where feed_no = ${feedNo} and leased_by = ${leasedBy}`;
}

/** Feeds whose last turn did not end by itself. */
export async function selectAbandoned(sql: Sql, now: UnixMs): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from feeds where leased_until <= to_timestamp(${seconds(now)}::float8) order by feed_no`;
  return rows.map((row) => row.name);
}

export async function insertFetch(sql: Sql, fetch: FetchRow): Promise<number> {
  const [row] = await sql<{ fetch_no: number }[]>`
    insert into feed_fetches (feed_no, fetched_at, generated_at, sha256, entries, refused, outcome, reason)
    values (${fetch.feedNo}, to_timestamp(${seconds(fetch.fetchedAt)}::float8),
      to_timestamp(${seconds(fetch.generatedAt)}::float8), decode(${fetch.sha256 ?? null}, 'hex'),
      ${fetch.entries ?? null}, ${fetch.refused ?? null}, ${fetch.outcome}, ${fetch.reason ?? null})
    returning fetch_no`;
  return row?.fetch_no ?? 0;
}

/** Of the newest list that was taken or held: what the next one is compared with. */
export async function lastGeneratedAt(sql: Sql, feedNo: number): Promise<UnixMs | undefined> {
  const [row] = await sql<{ generated_at: Date | null }[]>`
    select max(generated_at) as generated_at from feed_fetches
    where feed_no = ${feedNo} and outcome in ('fetched', 'held', 'approved')`;
  return moment(row?.generated_at ?? null);
}

export async function selectFeedPrefixes(sql: Sql, feedNo: number): Promise<Set<Prefix>> {
  const rows = await sql<{ prefix: string }[]>`select prefix from feed_prefixes where feed_no = ${feedNo}`;
  return new Set(rows.map((row) => parsePrefix(row.prefix)));
}

/** The feed names these from now on, and nothing else. */
export async function replaceFeedPrefixes(
  sql: Sql,
  feedNo: number,
  fetchNo: number,
  entries: readonly FeedEntry[],
): Promise<void> {
  for (let at = 0; at < entries.length; at += ROWS_PER_STATEMENT) {
    const slice = entries.slice(at, at + ROWS_PER_STATEMENT);
    await sql`
      insert into feed_prefixes as present (feed_no, prefix, confidence, first_fetch_no, last_fetch_no)
      select ${feedNo}, prefix, confidence, ${fetchNo}, ${fetchNo}
      from unnest(${slice.map((entry) => entry.prefix)}::cidr[], ${slice.map((entry) => entry.confidence)}::int[])
        as named (prefix, confidence)
      on conflict (feed_no, prefix) do update
        set confidence = excluded.confidence, last_fetch_no = excluded.last_fetch_no`;
  }
  await sql`delete from feed_prefixes where feed_no = ${feedNo} and last_fetch_no <> ${fetchNo}`;
}

/** The second back is for a replica whose offset to the database's clock is not exact. */
export async function upsertFeed(sql: Sql, feed: FeedDefinition, kept: KeptSettings): Promise<void> {
  await sql`
    insert into feeds as present (name, kind, settings, mode, licence, stale_after_seconds)
    values (${feed.name}, ${feed.kind}, ${sql.json(kept)}, ${feed.mode}, ${NOT_TO_BE_PUBLISHED}, ${feed.staleAfterSeconds})
    on conflict (name) do update set
      kind = excluded.kind, settings = excluded.settings, mode = excluded.mode,
      licence = excluded.licence, stale_after_seconds = excluded.stale_after_seconds,
      -- what changed here must be seen on the list, and a new key is a reason to ask at once
      leased_until = case when present.leased_until is null and present.mode <> excluded.mode
        then clock_timestamp() - interval '1 second' else present.leased_until end,
      next_at = case when present.settings ->> 'key' is distinct from excluded.settings ->> 'key'
        then clock_timestamp() - interval '1 second' else present.next_at end
    where (present.kind, present.settings, present.mode, present.stale_after_seconds)
      is distinct from (excluded.kind, excluded.settings, excluded.mode, excluded.stale_after_seconds)`;
}

/** Never deleted: their rows explain old listings. */
export async function switchOffOthers(sql: Sql, names: readonly string[]): Promise<void> {
  await sql`
    update feeds set mode = 'off', leased_until = coalesce(leased_until, clock_timestamp() - interval '1 second')
    where mode <> 'off' and not name = any(${[...names]}::text[])`;
}

const ROWS_PER_STATEMENT = 5_000; // more make the driver's array text so long that other work waits for it
/** `feeds.licence`: 0 = free to publish. AbuseIPDB's terms give no right to re-publish. */
const NOT_TO_BE_PUBLISHED = 2;
