/** Changes of listings in the database: one statement that moves lists, history and ledger by one revision. */
import type { Digest } from "@fleetban/proto/model/digest";
import type { Listing, ListNo, Rank, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import type { Covered } from "./coverage.ts";
import type { Reason } from "./ledger.ts";
import { momentFromSql, momentToSql, prefixFromSql, untilFromSql, untilToSql } from "./sql-values.ts";

export interface PresentListing extends Listing {
  readonly list: ListNo;
  readonly reasons: readonly Reason[];
}

export interface ListingKey {
  readonly list: ListNo;
  readonly prefix: Prefix;
}

export interface Put extends Listing {
  readonly list: ListNo;
  readonly reasons: readonly Reason[];
  /** The list has no listing of that prefix: a plain insert, which need not look first. */
  readonly isNew: boolean;
}

/** What a commit does to one list. */
export interface ListMove {
  readonly list: ListNo;
  readonly digest: Digest;
  readonly listings: number;
  readonly covered: Covered;
  readonly changes: number;
}

export interface CommitFacts {
  readonly cause: number;
  readonly causeNo: number | undefined;
  readonly approved: boolean;
  readonly reportWithinMs: number;
}

export interface MovedList {
  readonly list: ListNo;
  readonly revision: Revision;
  readonly digest: Digest;
  readonly listings: number;
  readonly kept: boolean;
  readonly committedAtMs: number;
}

export const CHANNEL = "fleetban_ledger";

/** A revision is kept when so many changes came since the last kept one … */
const KEPT_SHARE = 0.1;
const KEPT_CHANGES_MIN = 1_000; // below it a snapshot is hardly shorter than the changes
/** … at most this often, and at least that often. */
const KEPT_PAUSE_SECONDS = 600;
const KEPT_AFTER_SECONDS = 86_400;

export async function selectListings(sql: Sql, keys: readonly ListingKey[]): Promise<PresentListing[]> {
  if (keys.length === 0) return [];
  const rows = await sql<ListingRow[]>`
    select l.list_no, l.prefix::text, extract(epoch from l.until)::float8 as until, l.rank,
      extract(epoch from l.begun_at)::float8 as begun, l.reasons
    from unnest(${keys.map((key) => key.list)}::int[], ${keys.map((key) => key.prefix)}::cidr[]) as k(list_no, prefix)
    join listings l on l.list_no = k.list_no and l.prefix = k.prefix`;
  return rows.map(listingFromRow);
}

interface ListingRow {
  readonly list_no: number;
  readonly prefix: string;
  readonly until: number | null;
  readonly rank: number;
  readonly begun: number | null;
  readonly reasons: Reason[];
}

function listingFromRow(row: ListingRow): PresentListing {
  return {
    list: row.list_no as ListNo,
    prefix: prefixFromSql(row.prefix),
    until: untilFromSql(row.until),
    rank: row.rank as Rank,
    begun: momentFromSql(row.begun),
    reasons: row.reasons,
  };
}

export async function selectInside(sql: Sql, prefix: Prefix, limit: number): Promise<PresentListing[]> {
  const rows = await sql<ListingRow[]>`
    select list_no, prefix::text, extract(epoch from until)::float8 as until, rank,
      extract(epoch from begun_at)::float8 as begun, reasons
    from lists join listings using (list_no)
    where prefix > ${prefix}::cidr and prefix <= set_masklen(broadcast(${prefix}::cidr), ${prefix.includes(":") ? 128 : 32})::cidr
      and prefix << ${prefix}::cidr
    order by list_no, prefix limit ${limit}`;
  return rows.map(listingFromRow);
}

export async function saveReasons(sql: Sql, puts: readonly Put[]): Promise<void> {
  await sql`
    update listings l set reasons = t.reasons::jsonb
    from unnest(${puts.map((put) => put.list)}::int[], ${puts.map((put) => put.prefix)}::cidr[],
      ${puts.map((put) => JSON.stringify(put.reasons))}::text[]) as t(list_no, prefix, reasons)
    where l.list_no = t.list_no and l.prefix = t.prefix`;
}

/** The ledger's row is locked by the caller. */
export async function saveChanges(
  sql: Sql,
  { puts, removes, moves }: { puts: readonly Put[]; removes: readonly ListingKey[]; moves: readonly ListMove[] },
  facts: CommitFacts,
): Promise<MovedList[]> {
  const rows = await sql<MovedRow[]>`
    with moved as (
      update ledger set revision = revision + 1, last_commit_at = clock_timestamp()
      returning revision, last_commit_at
    ), put as (
      select list_no, prefix, to_timestamp(until) as until, rank, to_timestamp(begun) as begun_at, reasons::jsonb, is_new
      from unnest(${puts.map((put) => put.list)}::int[], ${puts.map((put) => put.prefix)}::cidr[],
        ${puts.map((put) => untilToSql(put.until))}::float8[], ${puts.map((put) => put.rank)}::smallint[],
        ${puts.map((put) => momentToSql(put.begun))}::float8[], ${puts.map((put) => JSON.stringify(put.reasons))}::text[],
        ${puts.map((put) => (put.isNew ? 1 : 0))}::int[])
        as t(list_no, prefix, until, rank, begun, reasons, is_new)
    ), gone as (
      select list_no, prefix
      from unnest(${removes.map((key) => key.list)}::int[], ${removes.map((key) => key.prefix)}::cidr[]) as t(list_no, prefix)
    ), listed as (
      insert into listings (list_no, prefix, until, rank, revision, listed_at, begun_at, reasons)
      select list_no, prefix, until, rank, m.revision, m.last_commit_at, begun_at, reasons from put, moved m where is_new = 1
    ), extended as (
      update listings l set until = put.until, rank = put.rank, revision = m.revision, begun_at = put.begun_at,
        reasons = put.reasons
      from put, moved m where put.is_new = 0 and l.list_no = put.list_no and l.prefix = put.prefix
    ), removed as (
      delete from listings l using gone where l.list_no = gone.list_no and l.prefix = gone.prefix
    ), changed as (
      insert into changes (revision, list_no, prefix, until, rank, begun_at, removed)
      select m.revision, list_no, prefix, until, rank, begun_at, false from put, moved m
      union all
      select m.revision, list_no, prefix, null, 0, null, true from gone, moved m
    ), move as (
      select t.list_no, t.digest, t.listings, t.covered, t.networks, t.changes, m.revision, m.last_commit_at,
        l.changed_since_kept + t.changes >= greatest(${KEPT_CHANGES_MIN}, ${KEPT_SHARE}::float8 * (l.listings + t.listings))
          and m.last_commit_at >= l.kept_at + ${KEPT_PAUSE_SECONDS}::int * interval '1 second'
        or m.last_commit_at >= l.kept_at + ${KEPT_AFTER_SECONDS}::int * interval '1 second' as kept
      from unnest(${moves.map((move) => move.list)}::int[], ${moves.map((move) => move.digest.toString())}::numeric[],
        ${moves.map((move) => move.listings)}::int[], ${moves.map((move) => move.covered[4].toString())}::numeric[],
        ${moves.map((move) => move.covered[6].toString())}::numeric[], ${moves.map((move) => move.changes)}::int[])
        as t(list_no, digest, listings, covered, networks, changes)
      join lists l using (list_no), moved m
    ), lists_moved as (
      update lists l set revision = m.revision,
        digest = mod(l.digest + m.digest, 340282366920938463463374607431768211456), -- 2^128
        listings = l.listings + m.listings, covered_addresses = l.covered_addresses + m.covered,
        covered_networks = l.covered_networks + m.networks,
        kept_revision = case when m.kept then m.revision else l.kept_revision end,
        kept_at = case when m.kept then m.last_commit_at else l.kept_at end,
        changed_since_kept = case when m.kept then 0 else l.changed_since_kept + m.changes end
      from move m where l.list_no = m.list_no
      returning l.list_no, l.revision, l.digest, l.listings, m.last_commit_at, m.kept
    ), revised as (
      insert into revisions (list_no, revision, digest, listings, committed_at, cause, cause_no, approved,
        report_within_ms, kept)
      select list_no, revision, digest, listings, last_commit_at, ${facts.cause}, ${facts.causeNo ?? null},
        ${facts.approved}, ${facts.reportWithinMs}, kept
      from lists_moved
    )
    select list_no, revision, digest, listings, kept, extract(epoch from last_commit_at)::float8 * 1000 as committed_at_ms,
      pg_notify(${CHANNEL}, revision::text)
    from lists_moved order by list_no`;
  return rows.map((row) => ({
    list: row.list_no as ListNo,
    revision: row.revision as Revision,
    digest: BigInt(row.digest) as Digest,
    listings: row.listings,
    kept: row.kept,
    committedAtMs: row.committed_at_ms,
  }));
}

interface MovedRow {
  readonly list_no: number;
  readonly revision: number;
  readonly digest: string;
  readonly listings: number;
  readonly kept: boolean;
  readonly committed_at_ms: number;
}
