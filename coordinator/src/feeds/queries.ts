/** SQL of the feeds: their rows, leases and quotas, their fetches, and the prefixes that each names. */
import { piecesOf } from "@fleetban/kit/pieces";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { EntryMoves } from "./entry-moves.ts";
import type { FeedDefinition, FeedList, FeedMode, FetchOutcome, Validators } from "./feed.ts";
import { LICENCE } from "./licence.ts";
import { NO_CALLS, type Quota } from "./quota.ts";

export interface FeedRow {
  readonly feedNo: number;
  readonly mode: FeedMode;
  readonly nextAt: UnixMs | undefined;
  readonly leasedUntil: UnixMs | undefined;
  readonly leasedBy: string | undefined;
  readonly quota: Quota;
  /** The fetch that its prefixes are of. */
  readonly takenFetchNo: number | undefined;
}

export interface FetchRow {
  readonly feedNo: number;
  readonly fetchedAt: UnixMs;
  readonly generatedAt?: UnixMs | undefined;
  readonly sha256?: string;
  readonly validators?: Validators;
  readonly definition?: string;
  readonly entries?: number;
  readonly refused?: number;
  readonly details?: FetchDetails;
  readonly outcome: FetchOutcome;
  readonly reason?: string | undefined;
}

export type FetchDetails = Pick<FeedList, "lines" | "refused" | "refusedLines">;

/** A fetch whose list was taken or is held, as the next one is compared with it. */
export interface EarlierFetch {
  readonly fetchNo: number;
  readonly outcome: FetchOutcome;
  readonly generatedAt: UnixMs | undefined;
  readonly sha256: string | undefined;
  readonly validators: Validators;
  readonly definition: string | undefined;
  readonly details: FetchDetails | undefined;
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
      taken_fetch_no: number | null;
    }[]
  >`
    select feed_no, mode, next_at, leased_until, leased_by, quota, taken_fetch_no
    from feeds where name = ${name} for update`;
  if (row === undefined) return undefined;
  return {
    feedNo: row.feed_no,
    mode: row.mode,
    nextAt: moment(row.next_at),
    leasedUntil: moment(row.leased_until),
    leasedBy: row.leased_by ?? undefined,
    quota: { ...NO_CALLS, ...row.quota },
    takenFetchNo: row.taken_fetch_no ?? undefined,
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
  const { etag = null, lastModified = null } = fetch.validators ?? {};
  const details = fetch.details === undefined ? null : sql.json({ ...fetch.details } as never);
  const [row] = await sql<{ fetch_no: number }[]>`
    insert into feed_fetches (feed_no, fetched_at, generated_at, sha256, etag, last_modified, definition, entries,
      refused, details, outcome, reason)
    values (${fetch.feedNo}, to_timestamp(${seconds(fetch.fetchedAt)}::float8),
      to_timestamp(${seconds(fetch.generatedAt)}::float8), decode(${fetch.sha256 ?? null}, 'hex'), ${etag},
      ${lastModified}, ${fetch.definition ?? null}, ${fetch.entries ?? null}, ${fetch.refused ?? null}, ${details},
      ${fetch.outcome}, ${fetch.reason ?? null})
    returning fetch_no`;
  return row?.fetch_no ?? 0;
}

/** The newest of these outcomes. */
export async function selectEarlierFetch(
  sql: Sql,
  feedNo: number,
  outcomes: readonly FetchOutcome[],
): Promise<EarlierFetch | undefined> {
  const [row] = await sql<
    {
      fetch_no: number;
      outcome: FetchOutcome;
      generated_at: Date | null;
      sha256: string | null;
      etag: string | null;
      last_modified: string | null;
      definition: string | null;
      details: FetchDetails | null;
    }[]
  >`
    select fetch_no, outcome, generated_at, encode(sha256, 'hex') as sha256, etag, last_modified, definition, details
    from feed_fetches
    where feed_no = ${feedNo} and outcome = any(${[...outcomes]}::text[]) order by fetch_no desc limit 1`;
  if (row === undefined) return undefined;
  const { etag, last_modified: lastModified } = row;
  return {
    fetchNo: row.fetch_no,
    outcome: row.outcome,
    generatedAt: moment(row.generated_at),
    sha256: row.sha256 ?? undefined,
    validators: {
      ...(etag === null ? {} : { etag }),
      ...(lastModified === null ? {} : { lastModified }),
    },
    definition: row.definition ?? undefined,
    details: row.details ?? undefined,
  };
}

/** The held list as one that was taken now. */
export async function insertApproval(sql: Sql, heldFetchNo: number, at: UnixMs, entries: number): Promise<number> {
  const [row] = await sql<{ fetch_no: number }[]>`
    insert into feed_fetches (feed_no, fetched_at, generated_at, sha256, etag, last_modified, definition, entries, refused,
      details, outcome)
    select feed_no, to_timestamp(${seconds(at)}::float8), generated_at, sha256, etag, last_modified, definition, ${entries},
      refused, details, 'approved'
    from feed_fetches where fetch_no = ${heldFetchNo} returning fetch_no`;
  return row?.fetch_no ?? 0;
}

export async function selectFeedEntries(sql: Sql, feedNo: number): Promise<Map<Prefix, number>> {
  const rows = await sql<{ prefix: string; confidence: number }[]>`
    select prefix::text, confidence from feed_prefixes where feed_no = ${feedNo}`;
  return new Map(rows.map((row) => [prefixFromSql(row.prefix), row.confidence]));
}

export async function selectFeedPrefixes(sql: Sql, feedNo: number): Promise<Set<Prefix>> {
  return new Set((await selectFeedEntries(sql, feedNo)).keys());
}

/** The feed names what the fetch brought from now on, and nothing else; only what differs is written. */
export async function replaceFeedEntries(
  sql: Sql,
  feedNo: number,
  fetchNo: number,
  { put, gone }: EntryMoves,
): Promise<void> {
  for (const slice of piecesOf(put, ROWS_PER_STATEMENT)) {
    await sql`
      insert into feed_prefixes as present (feed_no, prefix, confidence, first_fetch_no)
      select ${feedNo}, prefix, confidence, ${fetchNo}
      from unnest(${slice.map((entry) => entry.prefix)}::cidr[], ${slice.map((entry) => entry.confidence)}::int[])
        as named (prefix, confidence)
      on conflict (prefix, feed_no) do update set confidence = excluded.confidence`;
  }
  for (const slice of piecesOf(gone, ROWS_PER_STATEMENT)) {
    await sql`delete from feed_prefixes where feed_no = ${feedNo} and prefix = any(${slice}::cidr[])`;
  }
  await sql`update feeds set taken_fetch_no = ${fetchNo} where feed_no = ${feedNo}`;
}

/** Its listings live from then on. */
export async function confirmFeed(sql: Sql, feedNo: number, at: UnixMs): Promise<void> {
  await sql`update feeds set confirmed_at = to_timestamp(${seconds(at)}::float8) where feed_no = ${feedNo}`;
}

/** False when its list is not in the ledger. The second back is for a replica whose offset to the database's clock is not exact. */
export async function upsertFeed(sql: Sql, feed: FeedDefinition, kept: KeptSettings): Promise<boolean> {
  const [list] = await sql<{ list_no: number }[]>`
    select list_no from lists where name = ${feed.list} and effect = 'deny'`;
  if (list === undefined) return false;
  await sql`
    insert into feeds as present (name, kind, settings, list_no, mode, licence, stale_after_seconds)
    values (${feed.name}, ${feed.kind}, ${sql.json(kept)}, ${list.list_no}, ${feed.mode}, ${LICENCE[feed.licence]},
      ${feed.staleAfterSeconds})
    on conflict (name) do update set
      kind = excluded.kind, settings = excluded.settings, mode = excluded.mode, list_no = excluded.list_no,
      licence = excluded.licence, stale_after_seconds = excluded.stale_after_seconds,
      left_list_no = case when present.list_no <> excluded.list_no then present.list_no else present.left_list_no end,
      -- what changed here must be seen on the list, and what is read differently is a reason to ask at once
      leased_until = case when present.leased_until is null
          and (present.mode, present.list_no) <> (excluded.mode, excluded.list_no)
        then clock_timestamp() - interval '1 second' else present.leased_until end,
      next_at = case when present.settings ->> 'key' is distinct from excluded.settings ->> 'key'
          or present.settings ->> 'definition' is distinct from excluded.settings ->> 'definition'
        then clock_timestamp() - interval '1 second' else present.next_at end
    where (present.kind, present.settings, present.mode, present.list_no, present.licence, present.stale_after_seconds)
      is distinct from
        (excluded.kind, excluded.settings, excluded.mode, excluded.list_no, excluded.licence, excluded.stale_after_seconds)`;
  return true;
}

/** Never deleted: their rows explain old listings. */
export async function switchOffOthers(sql: Sql, names: readonly string[]): Promise<void> {
  await sql`
    update feeds set mode = 'off', leased_until = coalesce(leased_until, clock_timestamp() - interval '1 second')
    where mode <> 'off' and not name = any(${[...names]}::text[])`;
}

const ROWS_PER_STATEMENT = 5_000; // more make the driver's array text so long that other work waits for it
