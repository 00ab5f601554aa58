/** Reports to AbuseIPDB as operators see them: what would go out, what went out, and how much of the quota is left. */
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import { unixMs } from "@fleetban/proto/model/time";
import type {
  GetReportsStatusResponse,
  ListReportsRequest,
  ListReportsResponse,
  NamedCount,
  PreviewReportsRequest,
  PreviewReportsResponse,
  Report,
  ReportQuota,
} from "@fleetban/proto/wire/admin";
import { bulkEveryMs, callsADay, callsLeft } from "../reports/budget.ts";
import type { WorthReporting } from "../reports/candidate.ts";
import { categoryName } from "../reports/categories.ts";
import { previewReports as preview } from "../reports/find-reports.ts";
import { reportsList, reportsStatus, type StoredQuota, type StoredReport } from "../reports/reports-status.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const PREVIEWED = 20;
const LISTED = 50;
const MAX = 10_000;
const STATES = ["planned", "sending", "sent", "refused", "unknown"];

export async function previewReports(
  { reports }: AdminParts,
  { limit, address }: PreviewReportsRequest,
): Promise<PreviewReportsResponse> {
  const only = address === "" ? undefined : tryParsePrefix(address);
  if (address !== "" && only === undefined) {
    throw new AdminError("bad-argument", `address ${address}: is none`, { hint: "write it like 8.8.8.8 or 2a01::1" });
  }
  const previewed = await preview(reports, { limit: Math.min(limit || PREVIEWED, MAX), only });
  return {
    reports: previewed.reports.map(previewMessage),
    total: previewed.total,
    leftOut: counts(Object.entries(previewed.leftOut)),
    unmappedJails: counts(previewed.unmappedJails),
    mode: reports.policy().mode,
  };
}

export async function listReports(
  { store }: AdminParts,
  { state, limit }: ListReportsRequest,
): Promise<ListReportsResponse> {
  if (state !== "" && !STATES.includes(state)) {
    throw new AdminError("bad-argument", `state ${state}: is none`, { hint: `it is one of ${STATES.join(", ")}` });
  }
  const stored = await reportsList(store.sql, { state, limit: Math.min(limit || LISTED, MAX) });
  return { reports: stored.map(storedMessage) };
}

export async function getReportsStatus({ reports, store, ledger }: AdminParts): Promise<GetReportsStatusResponse> {
  const now = unixMs(ledger.ledgerTimeMs());
  const { mode, by, quotaShare } = reports.policy();
  const status = await reportsStatus(store.sql, now);
  const bulk = status.quotas.find(({ endpoint }) => endpoint === "bulk-report");
  const isBulkComing = mode === "send" && by !== "single" && bulk?.lastCallAt !== undefined;
  return {
    mode,
    hasKey: reports.api !== undefined,
    reports: counts(Object.entries(status.counts)),
    quotas: status.quotas.map((quota) => quotaMessage(quota, quotaShare, now)),
    nextBulkAtMs: isBulkComing ? Math.round((bulk.lastCallAt ?? 0) + bulkEveryMs(bulk, quotaShare)) : 0,
  };
}

function previewMessage(one: WorthReporting): Report {
  return {
    ...NOT_STORED,
    address: one.address,
    categories: [...one.categories],
    categoryNames: one.categories.map(categoryName),
    comment: one.comment,
    sightedAtMs: Math.round(one.sightedAtMs),
    worth: one.worth,
    agents: one.agents,
  };
}

const NOT_STORED = { reportNo: 0, state: "", plannedAtMs: 0, sentAtMs: 0, bulk: false, answer: "" };

function storedMessage({ isBulk, ...one }: StoredReport): Report {
  return {
    ...one,
    bulk: isBulk,
    categories: [...one.categories],
    categoryNames: one.categories.map(categoryName),
    sightedAtMs: Math.round(one.sightedAtMs),
  };
}

function quotaMessage(quota: StoredQuota, share: number, now: ReturnType<typeof unixMs>): ReportQuota {
  return {
    endpoint: quota.endpoint,
    callsADay: callsADay(quota.endpoint, quota, share),
    callsLeft: callsLeft(quota.endpoint, quota, { made: quota.made, share, now }),
    toldLimit: quota.callsADay ?? 0,
    blockedUntilMs: quota.blockedUntil !== undefined && quota.blockedUntil > now ? quota.blockedUntil : 0,
    failures: quota.failures,
    problem: quota.problem ?? "",
    lastCallAtMs: quota.lastCallAt ?? 0,
  };
}

function counts(pairs: Iterable<readonly [string, number]>): NamedCount[] {
  return Array.from(pairs, ([name, count]) => ({ name, count }));
}
