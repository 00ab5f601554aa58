/** Listings and lists as operators see them, read from the database in pages: a list may be a million long. */

import { digestToBytes } from "@fleetban/proto/model/digest";
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { familyOf, isSingle, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { Listing, ListingsPage, ListListingsRequest, ListStatus } from "@fleetban/proto/wire/admin";
import type { Reason } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const PAGE = 1_000;

export function listStatuses({ ledger }: Pick<AdminParts, "ledger">): ListStatus[] {
  return ledger.lists().map(({ list, revision, digest, listings, committedAtMs }) => ({
    list: list.list,
    name: list.name,
    effect: list.effect,
    revision,
    digest: Buffer.from(digestToBytes(digest)),
    listings,
    committedAtMs: Math.round(committedAtMs),
  }));
}

export async function* listListings(
  parts: AdminParts,
  request: ListListingsRequest,
): AsyncGenerator<ListingsPage, void> {
  const lists = wantedLists(parts, request.list);
  const prefix = request.prefix === "" ? undefined : parsePrefix(request.prefix);
  const feedNames = await feedNamesByNo(parts.store.sql);
  let left = request.limit === 0 ? Number.POSITIVE_INFINITY : request.limit;
  for (const { list, name } of lists) {
    let after: Prefix | undefined;
    for (;;) {
      const rows = await listingRows(parts.store.sql, { list, around: prefix, after, limit: Math.min(PAGE, left) });
      if (rows.length > 0) yield { listings: rows.map((row) => listingOf(row, name, feedNames)) };
      left -= rows.length;
      after = rows.at(-1)?.prefix;
      if (rows.length < PAGE || left <= 0) break;
    }
    if (left <= 0) return;
  }
}

function wantedLists({ ledger }: AdminParts, name: string): { list: ListNo; name: string }[] {
  const heads = ledger.lists().map(({ list }) => list);
  const wanted = heads.filter((list) => (name === "" ? list.effect === "deny" : list.name === name));
  if (wanted.length > 0) return wanted;
  throw new AdminError("not-found", `list ${name}: does not exist`, {
    hint: `there are: ${heads.map((list) => list.name).join(", ")}`,
  });
}

export interface ListingRow {
  readonly list: ListNo;
  readonly prefix: Prefix;
  readonly untilMs: number;
  readonly rank: number;
  readonly revision: number;
  readonly listedAtMs: number;
  readonly reasons: readonly Reason[];
}

interface RawListing {
  list_no: number;
  prefix: string;
  until: Date | null;
  rank: number;
  revision: number;
  listed_at: Date;
  reasons: Reason[];
}

interface Wanted {
  readonly list: ListNo;
  readonly around: Prefix | undefined;
  readonly after: Prefix | undefined;
  readonly limit: number;
}

async function listingRows(sql: Sql, { list, around, after, limit }: Wanted): Promise<ListingRow[]> {
  const related = around === undefined ? sql`true` : sql`prefix && ${around}::cidr`;
  const further = after === undefined ? sql`true` : sql`prefix > ${after}::cidr`;
  const rows = await sql<RawListing[]>`
    select list_no, prefix, until, rank, revision, listed_at, reasons from listings
    where list_no = ${list} and ${related} and ${further} order by prefix limit ${limit}`;
  return rows.map(listingFromRow);
}

/** The prefix's own listings, and those around and inside it, of all lists. */
export async function relatedListings(
  sql: Sql,
  prefix: Prefix,
  around: readonly Prefix[],
  limit: number,
): Promise<ListingRow[]> {
  // In the key's order, list by list: nothing else keeps a million listings from being read.
  const inside = sql`
    union all
    select * from (
      select l.list_no, l.prefix, l.until, l.rank, l.revision, l.listed_at, l.reasons
      from lists, lateral (
        select * from listings x where x.list_no = lists.list_no and x.prefix > ${prefix}::cidr and x.prefix <= ${lastIn(sql, prefix)}
        order by x.prefix limit ${limit}) l
      order by l.prefix limit ${limit}) inside`;
  const rows = await sql<RawListing[]>`
    select list_no, prefix, until, rank, revision, listed_at, reasons from listings
    where list_no in (select list_no from lists) and prefix = any(${[...around]}::cidr[])
    ${isSingle(prefix) ? sql`` : inside}
    order by list_no, prefix`;
  return rows.map(listingFromRow);
}

/** The last that lies in it, in the order of an index. */
export function lastIn(sql: Sql, prefix: Prefix) {
  return sql`set_masklen(broadcast(${prefix}::cidr), ${familyOf(prefix) === 4 ? 32 : 128}::int)::cidr`;
}

export async function feedNamesByNo(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql<{ feed_no: number; name: string }[]>`select feed_no, name from feeds`;
  return new Map(rows.map((row) => [String(row.feed_no), row.name]));
}

export function listingOf(row: ListingRow, list: string, feedNames: ReadonlyMap<string, string>): Listing {
  return {
    list,
    prefix: row.prefix,
    untilMs: row.untilMs,
    rank: row.rank,
    revision: row.revision,
    listedAtMs: row.listedAtMs,
    reasons: row.reasons.map(({ kind, key }) => (kind === "feed" ? `feed ${feedNames.get(key) ?? key}` : kind)),
  };
}

function listingFromRow(row: RawListing): ListingRow {
  return {
    list: listNo(row.list_no),
    prefix: parsePrefix(row.prefix),
    untilMs: row.until?.getTime() ?? 0,
    rank: row.rank,
    revision: row.revision,
    listedAtMs: row.listed_at.getTime(),
    reasons: row.reasons,
  };
}
