/**
 * SQL of the window that a policy is judged by: its sightings prefix by prefix, and what they made of strikes.
 *
 * The whole window is read through a cursor in the order of prefixes, so that neither side holds it: 1,000,000 sightings
 * are sorted by Postgres on disk in 2 s, where a look-up a prefix took 10 s.
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

interface SightingRow {
  readonly offender: string;
  readonly agent_no: number;
  readonly kind: number;
  readonly jail: string;
  readonly source: number;
  readonly protocol: string;
  readonly sighted: number;
  readonly ban_seconds: number;
  readonly failures: number;
  readonly received: number;
}

const ROWS_A_FETCH = 5_000;
/** What was evidence, or would be if its jail had a weight; and the real time of a ban that was prolonged. */
const COUNTED = [outcomeCode("counted"), outcomeCode("held"), outcomeCode("weightless")];
const PROLONGED = outcomeCode("no-strike");
const PROLONG = kindCode("prolong");
/** By number, for a million rows. */
const SOURCES: readonly (Source | undefined)[] = [undefined, ...[1, 2, 3, 4].map(sourceName)];

/** Inside a transaction, which sees the database as of one moment. */
export async function* sightedSince(sql: Sql, from: UnixSeconds): AsyncGenerator<SightedPrefix[]> {
  await sql`set local work_mem = '64MB'`;
  await sql`
    declare window_sightings no scroll cursor for
    select offender::text, agent_no, kind, jail, source, protocol, extract(epoch from sighted_at)::float8 as sighted,
      ban_seconds, failures, extract(epoch from received_at)::float8 as received
    from sightings
    where received_at >= to_timestamp(${from}::float8)
      and (outcome = any(${COUNTED}::smallint[]) or outcome = ${PROLONGED} and kind = ${kindCode("prolong")})
    order by offender, received_at, spool_no, seq`;
  const fetchNext = async () => {
    return await sql<SightingRow[]>`fetch ${sql.unsafe(String(ROWS_A_FETCH))} from window_sightings`;
  };
  let last: SightedPrefix | undefined;
  let next = fetchNext();
  for (;;) {
    const rows = await next;
    if (rows.length === ROWS_A_FETCH) {
      next = fetchNext(); // Postgres sorts while these are judged
      next.catch(() => undefined); // awaited above, unless whoever reads has given up
    }
    const groups = grouped(rows);
    const [first] = groups;
    if (last !== undefined && first?.prefix === last.prefix) {
      groups[0] = { prefix: first.prefix, sightings: [...last.sightings, ...first.sightings] };
    } else if (last !== undefined) groups.unshift(last);
    if (rows.length < ROWS_A_FETCH) {
      yield groups;
      break;
    }
    last = groups.pop(); // the rest of it may come with the next
    if (groups.length > 0) yield groups;
  }
  await sql`close window_sightings`;
}

/** The same of these prefixes alone. */
export async function sightedOf(sql: Sql, prefixes: readonly Prefix[], from: UnixSeconds): Promise<SightedPrefix[]> {
  const rows = await sql<SightingRow[]>`
    select offender::text, agent_no, kind, jail, source, protocol, extract(epoch from sighted_at)::float8 as sighted,
      ban_seconds, failures, extract(epoch from received_at)::float8 as received
    from sightings
    where offender = any(${[...prefixes]}::cidr[]) and received_at >= to_timestamp(${from}::float8)
      and (outcome = any(${COUNTED}::smallint[]) or outcome = ${PROLONGED} and kind = ${kindCode("prolong")})
    order by offender, received_at, spool_no, seq`;
  return grouped(rows);
}

function grouped(rows: readonly SightingRow[]): SightedPrefix[] {
  const groups: { prefix: Prefix; text: string; sightings: ReceivedSighting[] }[] = [];
  for (const row of rows) {
    const group = groups.at(-1);
    if (group?.text === row.offender) group.sightings.push(sightingFromRow(row));
    else groups.push({ prefix: prefixFromSql(row.offender), text: row.offender, sightings: [sightingFromRow(row)] });
  }
  return groups.map(({ prefix, sightings }) => ({ prefix, sightings }));
}

function sightingFromRow(row: SightingRow): ReceivedSighting {
  return {
    agentNo: row.agent_no,
    kind: row.kind === PROLONG ? "prolong" : "ban",
    jail: row.jail,
    source: SOURCES[row.source] ?? sourceName(row.source),
    protocol: row.protocol,
    at: momentFromSql(row.sighted),
    banSeconds: row.ban_seconds,
    failures: row.failures,
    receivedAt: momentFromSql(row.received),
    receivedExactly: row.received,
  };
}

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
