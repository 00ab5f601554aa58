/** SQL of reports: what is planned, what is being sent, what came of it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { Report } from "./abuseipdb-report.ts";
import type { WorthReporting } from "./candidate.ts";
import { networkWasReported } from "./networks.ts";

/** `planned`: to be sent. `sending`: asked or about to be. `unknown`: nobody can say whether it arrived. */
export type ReportState = "planned" | "sending" | "sent" | "refused" | "unknown";

const LOCK = 7741_0014; // one planner or claim at a time, over all replicas

/** Ends with the transaction. */
export async function lockReports(sql: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCK})`;
}

/** Sightings up to then have been looked at; undefined = never. */
export async function lookedUntil(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ at: number }[]>`
    select extract(epoch from looked_until)::float8 * 1000 as at from report_progress`;
  return row?.at;
}

export async function saveLookedUntil(sql: Sql, atMs: number): Promise<void> {
  await sql`
    insert into report_progress (looked_until) values (to_timestamp(${atMs / 1_000}::float8))
    on conflict (only_row) do update set looked_until = greatest(report_progress.looked_until, excluded.looked_until)`;
}

/**
 * Plans them, or brings what is planned of the same address up to date; gives how many are new. Left out is what was reported, or refused, less than
 * `againAfterSeconds` ago, and what is on its way.
 */
export async function savePlanned(
  sql: Sql,
  worthReporting: readonly WorthReporting[],
  againAfterSeconds: number,
): Promise<number> {
  if (worthReporting.length === 0) return 0;
  const column = <T>(of: (one: WorthReporting) => T) => worthReporting.map(of);
  const rows = await sql<{ is_new: boolean }[]>`
    insert into reports (prefix, categories, state, comment, sighted_at, worth, agents)
    select prefix, categories::int[], 'planned', comment, to_timestamp(sighted / 1000), worth, agents
    from unnest(${column((one) => one.address)}::cidr[], ${column((one) => `{${one.categories.join(",")}}`)}::text[],
      ${column((one) => one.comment)}::text[], ${column((one) => one.sightedAtMs)}::float8[],
      ${column((one) => one.worth)}::real[], ${column((one) => one.agents)}::int[])
      as t(prefix, categories, comment, sighted, worth, agents)
    where not exists (
      select from reports r where r.prefix = t.prefix and r.state <> 'planned'
        and coalesce(r.sent_at, r.planned_at) > clock_timestamp() - make_interval(secs => ${againAfterSeconds}))
      and not ${networkWasReported(sql, sql`t.prefix`, againAfterSeconds)}
    on conflict (prefix) where state in ('planned', 'sending') do update set categories = excluded.categories,
      comment = excluded.comment, sighted_at = excluded.sighted_at, worth = excluded.worth, agents = excluded.agents
      where reports.state = 'planned' and reports.call_no is null
    returning xmax = 0 as is_new`;
  return rows.filter(({ is_new }) => is_new).length;
}

/** What is worth least goes, before a storm makes the queue a table that nobody gets through. */
export async function trimPlanned(sql: Sql, max: number): Promise<number> {
  const rows = await sql`
    delete from reports where report_no in (
      select report_no from reports where state = 'planned' order by worth desc, sighted_at desc offset ${max})
    returning report_no`;
  return rows.length;
}

export async function refuseTooOld(sql: Sql, maxAgeSeconds: number): Promise<number> {
  const rows = await sql`
    update reports set state = 'refused', answer = ${sql.json({ by: "fleetban", reason: "happened too long ago" })}
    where state = 'planned' and sighted_at < clock_timestamp() - make_interval(secs => ${maxAgeSeconds})
    returning report_no`;
  return rows.length;
}

interface ReportRow {
  report_no: number;
  prefix: string;
  categories: number[];
  comment: string;
  sighted_at: number;
}

/** The most valuable first. `onlyNew` = of addresses that were never reported before. */
export async function selectPlanned(
  sql: Sql,
  { limit, onlyNew }: { readonly limit: number; readonly onlyNew: boolean },
): Promise<Report[]> {
  const rows = await sql<ReportRow[]>`
    select report_no, prefix::text, categories, comment, extract(epoch from sighted_at)::float8 * 1000 as sighted_at
    from reports r
    where state = 'planned' and (not ${onlyNew} or not exists (select from reports s where s.prefix = r.prefix and s.state = 'sent'))
    order by worth desc, r.sighted_at desc, report_no limit ${limit}`;
  return rows.map(reportFrom);
}

/** Those that have come under protection since they were planned, with the reason. */
export async function selectProtectedSince(sql: Sql, reports: readonly Report[]): Promise<Map<Prefix, string>> {
  const rows = await sql<{ prefix: string; why: string }[]>`
    select p::text as prefix, why from unnest(${reports.map(({ address }) => address)}::cidr[]) as p
      cross join lateral (
        select 'allowed' as why from allowlist e where e.prefix >>= p and e.ended_at is null
          and (e.until is null or e.until > clock_timestamp())
        union all select 'pardoned' from pardons e where e.prefix >>= p and e.ended_at is null
          and (e.until is null or e.until > clock_timestamp())
        union all select 'an address of the fleet' from agent_addresses a where a.address = p
      ) as kept`;
  return new Map(rows.map(({ prefix, why }) => [prefixFromSql(prefix), why]));
}

/** Before anybody is asked, and committed before. */
export async function markSending(sql: Sql, reportNos: readonly number[], callNo: number): Promise<void> {
  await sql`
    update reports set state = 'sending', call_no = ${callNo}, sent_at = clock_timestamp()
    where report_no = any(${[...reportNos]}::bigint[])`;
}

export async function settleReports(
  sql: Sql,
  reportNos: readonly number[],
  settled: { readonly state: ReportState; readonly answer: unknown },
): Promise<void> {
  if (reportNos.length === 0) return;
  await sql`
    update reports set state = ${settled.state}, answer = ${sql.json(settled.answer as never)}
    where report_no = any(${[...reportNos]}::bigint[])`;
}

/**
 * Back to be sent; where the address has been planned anew meanwhile the newer one stands. One that was unknown keeps its
 * call, and with it its text: said twice, the same counts once.
 */
export async function planAgain(sql: Sql, reportNos: readonly number[], reason: string): Promise<void> {
  if (reportNos.length === 0) return;
  await sql`
    update reports r set state = 'refused', answer = ${sql.json({ by: "fleetban", reason: "planned anew" })}
    where report_no = any(${[...reportNos]}::bigint[]) and exists (
      select from reports o where o.prefix = r.prefix and o.report_no <> r.report_no and o.state in ('planned', 'sending'))`;
  await sql`
    update reports set state = 'planned', sent_at = null, call_no = case state when 'unknown' then call_no end, answer = ${sql.json({ by: "fleetban", reason })}
    where report_no = any(${[...reportNos]}::bigint[]) and state in ('sending', 'unknown')`;
}

/** Whoever was sending these has died: nobody can say how far it came. */
export async function markAbandoned(sql: Sql, afterSeconds: number): Promise<number> {
  const rows = await sql`
    update reports set state = 'unknown', answer = ${sql.json({ reason: "the coordinator stopped while it was sending" })}
    where state = 'sending' and sent_at < clock_timestamp() - make_interval(secs => ${afterSeconds})
    returning report_no`;
  return rows.length;
}

export interface UnknownCall {
  readonly callNo: number;
  readonly reports: readonly Report[];
}

/** Calls whose outcome nobody knows, made longer ago than `afterSeconds` and not given up, oldest first. */
export async function selectUnknown(
  sql: Sql,
  { afterSeconds, givenUpSeconds }: { afterSeconds: number; givenUpSeconds: number },
): Promise<UnknownCall[]> {
  const rows = await sql<(ReportRow & { call_no: number })[]>`
    select call_no, report_no, prefix::text, categories, comment,
      extract(epoch from sighted_at)::float8 * 1000 as sighted_at
    from reports where state = 'unknown' and call_no is not null
      and sent_at < clock_timestamp() - make_interval(secs => ${afterSeconds})
      and sent_at > clock_timestamp() - make_interval(secs => ${givenUpSeconds})
    order by call_no, worth desc`;
  const byCall = Map.groupBy(rows, ({ call_no }) => call_no);
  return [...byCall].map(([callNo, group]) => ({ callNo, reports: group.map(reportFrom) }));
}

export async function countReports(sql: Sql): Promise<Readonly<Record<ReportState, number>>> {
  const rows = await sql<{ state: ReportState; count: number }[]>`
    select state, count(*)::int as count from reports group by state`;
  const none = { planned: 0, sending: 0, sent: 0, refused: 0, unknown: 0 };
  return { ...none, ...Object.fromEntries(rows.map(({ state, count }) => [state, count])) };
}

export interface StoredReport extends Report {
  readonly state: ReportState;
  readonly worth: number;
  readonly agents: number;
  readonly plannedAtMs: number;
  /** Of the last attempt; 0 = none. */
  readonly sentAtMs: number;
  readonly isBulk: boolean;
  readonly answer: string;
}

export async function selectReports(
  sql: Sql,
  { state, limit }: { readonly state: string; readonly limit: number },
): Promise<StoredReport[]> {
  const rows = await sql<
    (ReportRow & {
      state: ReportState;
      worth: number;
      agents: number;
      planned_at: Date;
      sent_at: Date | null;
      endpoint: string | null;
      answer: { reason?: string; score?: number } | null;
    })[]
  >`
    select report_no, prefix::text, categories, comment, extract(epoch from sighted_at)::float8 * 1000 as sighted_at, state,
      worth, agents, planned_at, sent_at, answer, (select endpoint from report_calls c where c.call_no = r.call_no) as endpoint
    from reports r where ${state} = '' or state = ${state}
    order by state <> 'planned', coalesce(sent_at, planned_at) desc, worth desc, report_no limit ${limit}`;
  return rows.map((row) => ({
    ...reportFrom(row),
    state: row.state,
    worth: row.worth,
    agents: row.agents,
    plannedAtMs: row.planned_at.getTime(),
    sentAtMs: row.sent_at?.getTime() ?? 0,
    isBulk: row.endpoint === "bulk-report",
    answer: row.answer?.reason ?? "",
  }));
}

export async function forgetOldReports(sql: Sql, days: number): Promise<void> {
  await sql`
    delete from reports where state in ('sent', 'refused', 'unknown')
      and coalesce(sent_at, planned_at) < clock_timestamp() - make_interval(days => ${days})`;
  await sql`
    delete from report_calls c where called_at < clock_timestamp() - make_interval(days => ${days})
      and not exists (select from reports r where r.call_no = c.call_no)`;
}

function reportFrom(row: ReportRow): Report {
  return {
    reportNo: row.report_no,
    address: prefixFromSql(row.prefix),
    categories: row.categories,
    comment: row.comment,
    sightedAtMs: row.sighted_at,
  };
}
