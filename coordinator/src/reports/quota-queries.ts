/** SQL of the API's quotas: calls that were booked, and what the service said of its limits. */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { QuotaTold, ReportEndpoint } from "./budget.ts";

export interface StoredQuota extends QuotaTold {
  readonly endpoint: ReportEndpoint;
  /** Calls booked since the moment that was asked for. */
  readonly made: number;
  /** How the last failed call failed, while they fail. */
  readonly problem: string | undefined;
  readonly lastCallAt: UnixMs | undefined;
}

interface QuotaRow {
  endpoint: ReportEndpoint;
  calls_a_day: number | null;
  remaining: number | null;
  told_at: Date | null;
  blocked_until: Date | null;
  failures: number;
  problem: string | null;
  made: number;
  last_call_at: Date | null;
}

export async function selectQuotas(sql: Sql, madeSince: UnixMs): Promise<StoredQuota[]> {
  const rows = await sql<QuotaRow[]>`
    select endpoint, calls_a_day, remaining, told_at, blocked_until, failures, problem,
      (select count(*)::int from report_calls c where c.endpoint = q.endpoint
        and c.called_at >= to_timestamp(${madeSince / 1_000}::float8)) as made,
      (select max(called_at) from report_calls c where c.endpoint = q.endpoint) as last_call_at
    from report_quotas q order by endpoint`;
  return rows.map((row) => ({
    endpoint: row.endpoint,
    callsADay: row.calls_a_day ?? undefined,
    remaining: row.remaining ?? undefined,
    toldAt: momentOf(row.told_at),
    blockedUntil: momentOf(row.blocked_until),
    failures: row.failures,
    problem: row.problem ?? undefined,
    made: row.made,
    lastCallAt: momentOf(row.last_call_at),
  }));
}

/** How each endpoint's calls fail, without counting any: for those who ask every other second. */
export async function selectProblems(sql: Sql): Promise<{ failures: number; problem: string | undefined }[]> {
  const rows = await sql<{ failures: number; problem: string | null }[]>`
    select failures, problem from report_quotas where failures > 0`;
  return rows.map(({ failures, problem }) => ({ failures, problem: problem ?? undefined }));
}

export async function insertCall(
  sql: Sql,
  { endpoint, reports, at }: { endpoint: ReportEndpoint; reports: number; at: UnixMs },
): Promise<number> {
  const [row] = await sql<{ call_no: number }[]>`
    insert into report_calls (endpoint, reports, called_at)
    values (${endpoint}, ${reports}, to_timestamp(${at / 1_000}::float8)) returning call_no`;
  if (row === undefined) throw new Error("internal error: an insert gave no row");
  return row.call_no;
}

/** A call that surely never reached them took nothing of the quota. */
export async function deleteCall(sql: Sql, callNo: number): Promise<void> {
  await sql`update reports set call_no = null where call_no = ${callNo}`;
  await sql`delete from report_calls where call_no = ${callNo}`;
}

export async function saveStatus(sql: Sql, callNo: number, status: number): Promise<void> {
  await sql`update report_calls set status = ${status} where call_no = ${callNo}`;
}

export async function saveQuota(
  sql: Sql,
  endpoint: ReportEndpoint,
  told: QuotaTold & { readonly problem: string | undefined },
): Promise<void> {
  await sql`
    update report_quotas set calls_a_day = ${told.callsADay ?? null}, remaining = ${told.remaining ?? null},
      told_at = ${dateOf(told.toldAt)}, blocked_until = ${dateOf(told.blockedUntil)}, failures = ${told.failures},
      problem = ${told.problem ?? null}
    where endpoint = ${endpoint}`;
}

function momentOf(date: Date | null): UnixMs | undefined {
  return date === null ? undefined : unixMs(date.getTime());
}

function dateOf(at: UnixMs | undefined): Date | null {
  return at === undefined ? null : new Date(at);
}
