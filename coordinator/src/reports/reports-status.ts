/** What other rooms show of reporting: counts, quotas, and what is wrong with it. */
import type { UnixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import { dayFrom } from "./budget.ts";
import { countReports, type ReportState, type StoredReport, selectReports } from "./queries.ts";
import { type StoredQuota, selectProblems, selectQuotas } from "./quota-queries.ts";

export type { StoredQuota, StoredReport };

export interface ReportsStatus {
  readonly counts: Readonly<Record<ReportState, number>>;
  readonly quotas: readonly StoredQuota[];
}

export async function reportsStatus(sql: Sql, now: UnixMs): Promise<ReportsStatus> {
  return { counts: await countReports(sql), quotas: await selectQuotas(sql, dayFrom(now)) };
}

export async function reportsList(
  sql: Sql,
  wanted: { readonly state: string; readonly limit: number },
): Promise<readonly StoredReport[]> {
  return await selectReports(sql, wanted);
}

export type ReportsWarnable = "reports-unauthorized" | "reports-failing";

/** One failure is the internet's, three in a row are somebody's to look at. */
const FAILING_FROM = 3;

export async function reportsWarnings(sql: Sql): Promise<readonly ReportsWarnable[]> {
  return warningsOf(await selectProblems(sql));
}

/** A refused key is told at the first time: nobody but an operator can mend it. */
function warningsOf(quotas: readonly { failures: number; problem: string | undefined }[]): readonly ReportsWarnable[] {
  const isUnauthorized = quotas.some(({ failures, problem }) => failures > 0 && /^status 40[13]\b/.test(problem ?? ""));
  if (isUnauthorized) return ["reports-unauthorized"];
  const isFailing = quotas.some(
    ({ failures, problem }) => failures >= FAILING_FROM && !/^status 429\b/.test(problem ?? ""),
  );
  return isFailing ? ["reports-failing"] : [];
}
