/** What recurs in this room, for the jobs to run: each does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { planReports } from "./find-reports.ts";
import type { ReportsParts } from "./parts.ts";
import { forgetOldReports } from "./queries.ts";
import { sendReports } from "./send.ts";

const EVERY_MS = 20_000;
const HOUR_MS = 3_600_000;
const KEPT_DAYS = 90;

export function reportsJobs(parts: ReportsParts): readonly Job[] {
  return [
    { name: "reports", everyMs: EVERY_MS, run: (signal) => reportOnce(parts, signal) },
    { name: "forget-reports", everyMs: HOUR_MS, run: () => forgetOldReports(parts.store.sql, KEPT_DAYS) },
  ];
}

/** Off until the policy says otherwise: nothing is planned either. */
export async function reportOnce(parts: ReportsParts, signal: AbortSignal): Promise<void> {
  if (parts.policy().mode === "send") await planReports(parts, signal);
  await sendReports(parts, signal);
}
