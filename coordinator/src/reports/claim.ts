/**
 * Takes planned reports to be sent: books the call and marks them `sending`, in one transaction that is committed before
 * anybody is asked. Of two replicas one gets them; what has come under protection since it was planned is dropped here.
 */
import { unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { Report } from "./abuseipdb-report.ts";
import { bulkEveryMs, callsLeft, dayFrom, type ReportEndpoint } from "./budget.ts";
import { CSV_BYTES_MAX, CSV_ROWS_MAX, csvBytes } from "./csv-file.ts";
import type { ReportsParts } from "./parts.ts";
import { lockReports, markSending, selectPlanned, selectProtectedSince, settleReports } from "./queries.ts";
import { insertCall, type StoredQuota, selectQuotas } from "./quota-queries.ts";
import type { ReportPolicy } from "./report-table.ts";

export interface ClaimedReports {
  readonly callNo: number;
  readonly reports: readonly Report[];
}

type ClaimParts = Pick<ReportsParts, "store" | "ledger" | "policy">;

/** Undefined = nothing to send, or no call left. */
export async function claimSingle(parts: ClaimParts): Promise<ClaimedReports | undefined> {
  const policy = parts.policy();
  if (policy.by === "bulk") return undefined;
  return await claim(parts, "report", async (sql) => {
    return await selectPlanned(sql, { limit: 1, onlyNew: policy.by === "both" });
  });
}

/** When the day's share of time since the last one is over. */
export async function claimBulk(parts: ClaimParts): Promise<ClaimedReports | undefined> {
  const policy = parts.policy();
  if (policy.by === "single") return undefined;
  return await claim(parts, "bulk-report", async (sql, quota) => {
    const sinceMs = parts.ledger.ledgerTimeMs() - (quota.lastCallAt ?? 0);
    if (sinceMs < bulkEveryMs(quota, policy.quotaShare)) return [];
    return withinFile(await selectPlanned(sql, { limit: CSV_ROWS_MAX, onlyNew: false }));
  });
}

/** Of `/check`: whether the service has got a report. */
export async function claimCheck(parts: ClaimParts): Promise<number | undefined> {
  return await parts.store.transaction(async (sql) => {
    await lockReports(sql);
    const now = unixMs(parts.ledger.ledgerTimeMs());
    const quota = await quotaOf(sql, parts, "check");
    return left("check", quota, parts.policy(), now) === 0
      ? undefined
      : await insertCall(sql, { endpoint: "check", reports: 0, at: now });
  });
}

async function claim(
  parts: ClaimParts,
  endpoint: ReportEndpoint,
  select: (sql: Sql, quota: StoredQuota) => Promise<readonly Report[]>,
): Promise<ClaimedReports | undefined> {
  return await parts.store.transaction(async (sql) => {
    await lockReports(sql);
    const now = unixMs(parts.ledger.ledgerTimeMs());
    const quota = await quotaOf(sql, parts, endpoint);
    if (left(endpoint, quota, parts.policy(), now) === 0) return undefined;
    for (;;) {
      const selected = await select(sql, quota);
      if (selected.length === 0) return undefined;
      const kept = await dropProtected(sql, selected);
      if (kept.length === 0) continue; // all of them are refused now: others may wait behind them
      const callNo = await insertCall(sql, { endpoint, reports: kept.length, at: now });
      const reportNos = kept.map(({ reportNo }) => reportNo);
      await markSending(sql, reportNos, callNo);
      return { callNo, reports: kept };
    }
  });
}

async function dropProtected(sql: Sql, reports: readonly Report[]): Promise<readonly Report[]> {
  const why = await selectProtectedSince(sql, reports);
  for (const { address, reportNo } of reports) {
    const reason = why.get(address);
    if (reason !== undefined)
      await settleReports(sql, [reportNo], { state: "refused", answer: { by: "fleetban", reason } });
  }
  return reports.filter(({ address }) => !why.has(address));
}

async function quotaOf(sql: Sql, { ledger }: ClaimParts, endpoint: ReportEndpoint): Promise<StoredQuota> {
  const quotas = await selectQuotas(sql, dayFrom(unixMs(ledger.ledgerTimeMs())));
  const quota = quotas.find((one) => one.endpoint === endpoint);
  if (quota === undefined) throw new Error(`internal error: no quota of ${endpoint}`);
  return quota;
}

function left(endpoint: ReportEndpoint, quota: StoredQuota, { quotaShare }: ReportPolicy, now: number): number {
  return callsLeft(endpoint, quota, { made: quota.made, share: quotaShare, now: unixMs(now) });
}

function withinFile(reports: readonly Report[]): readonly Report[] {
  let bytes = 0;
  const end = reports.findIndex((report) => {
    bytes += csvBytes(report);
    return bytes > CSV_BYTES_MAX;
  });
  return end < 0 ? reports : reports.slice(0, end);
}
