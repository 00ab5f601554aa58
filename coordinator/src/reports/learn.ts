/** What each answer, and each silence, teaches of the quota: its limit, what is left of it, how long to ask nothing. */
import type { UnixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { Answer } from "./abuseipdb-report.ts";
import { dayFrom, pauseAfter, type ReportEndpoint } from "./budget.ts";
import { deleteCall, type StoredQuota, saveQuota, selectQuotas } from "./quota-queries.ts";

/** So many requests in a row that the service finds wrong are no accident, and each takes one of the quota. */
const REFUSED_MAX = 5;

/** Whether to go on asking. */
export async function learn(sql: Sql, endpoint: ReportEndpoint, answer: Answer, now: UnixMs): Promise<boolean> {
  const quota = await quotaOf(sql, endpoint, now);
  const { limit, remaining, retryAt } = answer.rate;
  const isTold = limit !== undefined || remaining !== undefined;
  const told = {
    callsADay: limit ?? quota.callsADay,
    remaining: isTold ? remaining : quota.remaining,
    toldAt: isTold ? now : quota.toldAt,
  };
  const isGood = answer.kind === "taken" || answer.kind === "duplicate";
  const failures = isGood ? 0 : quota.failures + 1;
  const problem = isGood ? undefined : "reason" in answer ? answer.reason : undefined;
  const pause = pauseOf(answer, failures);
  const blockedUntil = pause === undefined ? undefined : pauseAfter(pause, { failures, retryAt, now });
  await saveQuota(sql, endpoint, { ...told, blockedUntil, failures, problem });
  return blockedUntil === undefined;
}

/** No answer at all: a call that surely was not made takes nothing of the quota. */
export async function noteNotSent(
  sql: Sql,
  {
    endpoint,
    callNo,
    isUnsent,
    reason,
    now,
  }: { endpoint: ReportEndpoint; callNo: number; isUnsent: boolean; reason: string; now: UnixMs },
): Promise<void> {
  const quota = await quotaOf(sql, endpoint, now);
  if (isUnsent) await deleteCall(sql, callNo);
  const failures = quota.failures + 1;
  const blockedUntil = pauseAfter("failed", { failures: quota.failures, retryAt: undefined, now });
  await saveQuota(sql, endpoint, { ...quota, failures, problem: reason, blockedUntil });
}

function pauseOf({ kind }: Answer, failures: number): "quota" | "unauthorized" | "failed" | undefined {
  if (kind === "quota" || kind === "unauthorized") return kind;
  if (kind === "unknown" || kind === "busy") return "failed";
  return kind === "refused" && failures >= REFUSED_MAX ? "failed" : undefined;
}

async function quotaOf(sql: Sql, endpoint: ReportEndpoint, now: UnixMs): Promise<StoredQuota> {
  const quota = (await selectQuotas(sql, dayFrom(now))).find((one) => one.endpoint === endpoint);
  if (quota === undefined) throw new Error(`internal error: no quota of ${endpoint}`);
  return quota;
}
