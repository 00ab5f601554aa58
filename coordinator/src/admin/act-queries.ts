/** Operators' acts in the database: bans, pardons and the allowlist. What they make of the lists is in acts.ts. */
import { LIST_FLEET, type ListNo, listNo } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded, OPEN_ENDED } from "@fleetban/proto/model/until";
import type { Sql } from "../store/sql.ts";

export type ActKind = "ban" | "pardon" | "allowed";

export interface StoredAct {
  readonly actNo: number;
  readonly prefix: Prefix;
  readonly begunAtMs: number;
  readonly until: UnixSeconds;
  readonly reason: string;
  readonly author: string;
  /** 0 = not ended by an operator. */
  readonly endedAtMs: number;
  readonly local: boolean;
  /** Never-ban pack that it belongs to; absent = an operator's own. */
  readonly pack?: string;
}

export interface NewAct {
  readonly prefix: Prefix;
  readonly until: UnixSeconds;
  readonly reason: string;
  readonly author: string;
  readonly local?: boolean;
}

interface ActRow {
  act_no: number;
  prefix: string;
  begun_at: Date;
  until: Date | null;
  reason: string;
  author: string;
  ended_at: Date | null;
  local: boolean;
  pack: string | null;
}

const MAX_ACTS = 1_000;

export async function insertBan(sql: Sql, act: NewAct): Promise<number> {
  const [row] = await sql<{ act_no: number }[]>`
    insert into bans (prefix, list_no, until, rank, reason, author)
    values (${act.prefix}, ${LIST_FLEET}, ${momentOf(sql, act.until)}, 0, ${act.reason}, ${act.author})
    returning ban_no as act_no`;
  return only(row).act_no;
}

export async function insertPardon(sql: Sql, act: NewAct): Promise<number> {
  const [row] = await sql<{ act_no: number }[]>`
    insert into pardons (prefix, until, reason, author, local)
    values (${act.prefix}, ${momentOf(sql, act.until)}, ${act.reason}, ${act.author}, ${act.local ?? false})
    returning number as act_no`;
  return only(row).act_no;
}

export async function insertAllowed(sql: Sql, act: NewAct): Promise<number> {
  const [row] = await sql<{ act_no: number }[]>`
    insert into allowlist (prefix, until, reason, author)
    values (${act.prefix}, ${momentOf(sql, act.until)}, ${act.reason}, ${act.author})
    returning number as act_no`;
  return only(row).act_no;
}

/** In force, newest first; with `ended`, also those that are over. Packs have a noun of their own. */
export async function acts(sql: Sql, kind: ActKind, ended: boolean): Promise<StoredAct[]> {
  const isActive = sql`ended_at is null and (until is null or until > clock_timestamp())`;
  const rows = await sql<ActRow[]>`
    select ${columnsOf(sql, kind)} from ${tableOf(sql, kind)}
    where ${ended ? sql`true` : isActive} and ${isOwn(sql, kind)}
    order by 1 desc limit ${MAX_ACTS}`;
  return rows.map(actFromRow);
}

export type Relation = "equal" | "around" | "within" | "overlapping";

/** In force and so related to the prefix: `around` and `within` include equal ones. */
export async function activeActs(sql: Sql, kind: ActKind, prefix: Prefix, relation: Relation): Promise<StoredAct[]> {
  const rows = await sql<ActRow[]>`
    select ${columnsOf(sql, kind)} from ${tableOf(sql, kind)}
    where ended_at is null and (until is null or until > clock_timestamp())
      and ${relatedTo(sql, prefix, relation)}
    order by 1 limit ${MAX_ACTS}`;
  return rows.map(actFromRow);
}

export async function activeAct(sql: Sql, kind: ActKind, actNo: number): Promise<StoredAct | undefined> {
  const rows = await sql<ActRow[]>`
    select ${columnsOf(sql, kind)} from ${tableOf(sql, kind)}
    where ${sql.unsafe(NUMBER_COLUMN[kind])} = ${actNo} and ended_at is null
      and (until is null or until > clock_timestamp())`;
  return rows.map(actFromRow)[0];
}

/** Several prefixes' own, in one question. */
export async function activeActsOf(sql: Sql, kind: ActKind, prefixes: readonly Prefix[]): Promise<StoredAct[]> {
  const rows = await sql<ActRow[]>`
    select ${columnsOf(sql, kind)} from ${tableOf(sql, kind)}
    where ended_at is null and (until is null or until > clock_timestamp()) and prefix = any(${[...prefixes]}::cidr[])
    order by 1`;
  return rows.map(actFromRow);
}

/** Ends those in force that are so related; what was ended. A pack's rows are the policy's to end. */
export async function endActs(sql: Sql, kind: ActKind, prefix: Prefix, relation: Relation): Promise<StoredAct[]> {
  const rows = await sql<ActRow[]>`
    update ${tableOf(sql, kind)} set ended_at = ${endedNow(sql)}
    where ended_at is null and (until is null or until > clock_timestamp()) and ${relatedTo(sql, prefix, relation)}
      and ${isOwn(sql, kind)}
    returning ${columnsOf(sql, kind)}`;
  return rows.map(actFromRow);
}

/** Undefined = there is none with that number in force. */
export async function endAct(sql: Sql, kind: ActKind, actNo: number): Promise<StoredAct | undefined> {
  const rows = await sql<ActRow[]>`
    update ${tableOf(sql, kind)} set ended_at = ${endedNow(sql)}
    where ${sql.unsafe(NUMBER_COLUMN[kind])} = ${actNo} and ended_at is null
      and (until is null or until > clock_timestamp()) and ${isOwn(sql, kind)}
    returning ${columnsOf(sql, kind)}`;
  return rows.map(actFromRow)[0];
}

/** On deny lists, the prefix itself and what is in it; at most `limit`. */
export async function deniedWithin(
  sql: Sql,
  prefix: Prefix,
  limit: number,
): Promise<{ list: ListNo; name: string; prefix: Prefix }[]> {
  const rows = await sql<{ list_no: number; name: string; prefix: string }[]>`
    select l.list_no, l.name, g.prefix from listings g join lists l on l.list_no = g.list_no
    where l.effect = 'deny' and g.prefix <<= ${prefix}::cidr order by g.prefix limit ${limit}`;
  return rows.map((row) => ({ list: listNo(row.list_no), name: row.name, prefix: parsePrefix(row.prefix) }));
}

const NUMBER_COLUMN: Record<ActKind, string> = { ban: "ban_no", pardon: "number", allowed: "number" };
const TABLE: Record<ActKind, string> = { ban: "bans", pardon: "pardons", allowed: "allowlist" };
const COLUMNS: Record<ActKind, string> = {
  ban: "ban_no as act_no, prefix, banned_at as begun_at, until, reason, author, ended_at, false as local, null as pack",
  pardon: "number as act_no, prefix, begun_at, until, reason, author, ended_at, local, null as pack",
  allowed: "number as act_no, prefix, begun_at, until, reason, author, ended_at, false as local, pack",
};

function isOwn(sql: Sql, kind: ActKind) {
  return kind === "allowed" ? sql`pack is null` : sql`true`;
}

/** The ledger decides by whole seconds: what ends in this second has ended for the decision in the same commit. */
function endedNow(sql: Sql) {
  return sql`date_trunc('second', clock_timestamp())`;
}

function tableOf(sql: Sql, kind: ActKind) {
  return sql.unsafe(TABLE[kind]);
}

function columnsOf(sql: Sql, kind: ActKind) {
  return sql.unsafe(COLUMNS[kind]);
}

function relatedTo(sql: Sql, prefix: Prefix, relation: Relation) {
  switch (relation) {
    case "equal":
      return sql`prefix = ${prefix}::cidr`;
    case "around":
      return sql`prefix >>= ${prefix}::cidr`;
    case "within":
      return sql`prefix <<= ${prefix}::cidr`;
    case "overlapping":
      return sql`prefix && ${prefix}::cidr`;
  }
}

function momentOf(sql: Sql, until: UnixSeconds) {
  return isOpenEnded(until) ? null : sql`to_timestamp(${until}::float8)`;
}

function actFromRow(row: ActRow): StoredAct {
  return {
    actNo: row.act_no,
    prefix: parsePrefix(row.prefix),
    begunAtMs: row.begun_at.getTime(),
    until: row.until === null ? OPEN_ENDED : unixSeconds(Math.ceil(row.until.getTime() / 1_000)),
    reason: row.reason,
    author: row.author,
    endedAtMs: row.ended_at?.getTime() ?? 0,
    local: row.local,
    ...(row.pack === null ? {} : { pack: row.pack }),
  };
}

function only<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error("internal error: an insert gave no row");
  return row;
}
