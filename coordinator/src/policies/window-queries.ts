/**
 * SQL of the window that a policy is judged by: its sightings prefix by prefix, and what they made of strikes.
 *
 * The whole window is read through a cursor in the order of prefixes, so that neither side holds it: Postgres sorts it on
 * disk, where a look-up a prefix took five times as long.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Source } from "@fleetban/proto/model/sighting";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { kindCode, outcomeCode, sourceName } from "../ledger/sighting-codes.ts";
import { momentFromSql, prefixFromSql } from "../ledger/sql-values.ts";
import type { Exemption } from "../policy/evidence.ts";
import type { Sql } from "../store/sql.ts";
import type { ReceivedSighting } from "./replay-offender.ts";

/** All that was sighted of one prefix, in the order in which it was received. */
export interface SightedPrefix {
  readonly prefix: Prefix;
  readonly sightings: readonly ReceivedSighting[];
}

/** All of one prefix in one text: a row a sighting took twice the time on both sides. */
interface PrefixRow {
  readonly offender: string;
  /** Lines of `FIELDS`, in the order in which they were received. */
  readonly lines: string;
}

const PREFIXES_A_FETCH = 500;
/** What was evidence, or would be if its jail had a weight; and the real time of a ban that was prolonged. */
const COUNTED = [outcomeCode("counted"), outcomeCode("held"), outcomeCode("weightless")];
const PROLONGED = outcomeCode("no-strike");
const PROLONG = kindCode("prolong");
/** Between lines and between fields; an agent may have written them into the name of a jail, where they are blanks here. */
const LINE_END = "\u001e";
const FIELD_END = "\u001f";
const ENDS = `${LINE_END}${FIELD_END}`;

/** Inside a transaction, which sees the database as of one moment. */
export async function* sightedSince(sql: Sql, from: UnixSeconds): AsyncGenerator<SightedPrefix[]> {
  await sql`set local work_mem = '64MB'`;
  await sql`declare window_sightings no scroll cursor for ${prefixRows(sql, sql`true`, from)}`;
  const fetchNext = async () => {
    return await sql<PrefixRow[]>`fetch ${sql.unsafe(String(PREFIXES_A_FETCH))} from window_sightings`;
  };
  let next = fetchNext();
  for (;;) {
    const rows = await next;
    const isLast = rows.length < PREFIXES_A_FETCH;
    if (!isLast) {
      next = fetchNext(); // Postgres gathers while these are judged
      next.catch(() => undefined); // awaited above, unless whoever reads has given up
    }
    yield rows.map(sightedFromRow);
    if (isLast) break;
  }
  await sql`close window_sightings`;
}

/** The same of these prefixes alone. */
export async function sightedOf(sql: Sql, prefixes: readonly Prefix[], from: UnixSeconds): Promise<SightedPrefix[]> {
  const rows = await sql<PrefixRow[]>`${prefixRows(sql, sql`offender = any(${[...prefixes]}::cidr[])`, from)}`;
  return rows.map(sightedFromRow);
}

/** `date_part` gives a float at once, `extract` a numeric. */
function prefixRows(sql: Sql, which: ReturnType<Sql>, from: UnixSeconds) {
  return sql`
    select offender::text, string_agg(concat_ws(${FIELD_END}, agent_no, kind, source, date_part('epoch', sighted_at),
      date_part('epoch', received_at), ban_seconds, failures, translate(jail, ${ENDS}, '  '),
      translate(protocol, ${ENDS}, '  ')), ${LINE_END} order by received_at, spool_no, seq) as lines
    from sightings
    where ${which} and received_at >= to_timestamp(${from}::float8)
      and (outcome = any(${COUNTED}::smallint[]) or outcome = ${PROLONGED} and kind = ${PROLONG})
    group by offender order by offender`;
}

function sightedFromRow({ offender, lines }: PrefixRow): SightedPrefix {
  return { prefix: prefixFromSql(offender), sightings: lines.split(LINE_END).map(sightingFromLine) };
}

function sightingFromLine(line: string): ReceivedSighting {
  const [agentNo, kind, source, sighted, received, banSeconds, failures, jail = "", protocol = ""] =
    line.split(FIELD_END);
  return {
    agentNo: Number(agentNo),
    kind: Number(kind) === PROLONG ? "prolong" : "ban",
    jail,
    source: SOURCES[Number(source)] ?? sourceName(Number(source)),
    protocol,
    at: momentFromSql(Number(sighted)),
    banSeconds: Number(banSeconds),
    failures: Number(failures),
    receivedAt: momentFromSql(Number(received)),
    receivedExactly: Number(received),
  };
}

/** By number, for a million of them. */
const SOURCES: readonly (Source | undefined)[] = [undefined, ...[1, 2, 3, 4].map(sourceName)];

/** A strike in force that a sighting of the window made. */
export interface WindowStrike {
  readonly strikeNo: number;
  readonly prefix: Prefix;
  readonly list: ListNo;
}

export async function strikesSince(sql: Sql, prefixes: readonly Prefix[], from: UnixSeconds): Promise<WindowStrike[]> {
  const rows = await sql<{ strike_no: number; prefix: string; list_no: ListNo }[]>`
    select strike_no, prefix::text, list_no from strikes
    where prefix = any(${[...prefixes]}::cidr[]) and voided_at is null and made_at >= to_timestamp(${from}::float8)`;
  return rows.map((row) => ({ strikeNo: row.strike_no, prefix: prefixFromSql(row.prefix), list: row.list_no }));
}

/** Of each pardon and each row of the allowlist when it began, in seconds. */
export async function exemptionBeginnings(sql: Sql): Promise<(exemption: Exemption) => number> {
  const rows = await sql<{ key: string; begun: number }[]>`
    select 'pardoned ' || number as key, extract(epoch from begun_at)::float8 as begun from pardons
    union all
    select 'allowed ' || number, extract(epoch from begun_at)::float8 from allowlist`;
  const begun = new Map(rows.map((row) => [row.key, row.begun]));
  return ({ kind, number }) => begun.get(`${kind} ${number}`) ?? 0;
}

/** Prefixes whose strikes a policy made or took back. */
export async function prefixesTouchedBy(sql: Sql, policyNo: number, voidedBy: string): Promise<Prefix[]> {
  const rows = await sql<{ prefix: string }[]>`
    select distinct prefix::text as prefix from strikes
    where policy_no = ${policyNo} and voided_at is null or voided_by = ${voidedBy}`;
  return rows.map(({ prefix }) => prefixFromSql(prefix));
}
