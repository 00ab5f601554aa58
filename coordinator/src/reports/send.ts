/**
 * Sends what is planned: single reports first, the most valuable first, then the bulk report when it is due.
 *
 * A report is sent once. What surely never arrived is planned again; what perhaps did is `unknown` for a quarter hour, and
 * then the service is asked whether it has it. Each step is committed before the next, so that any of them may be the last
 * one of a crashed run.
 */
import { unixMs } from "@fleetban/proto/model/time";
import { type Answer, bulkRequest, type ReportApi, readAnswer, singleRequest } from "./abuseipdb-report.ts";
import type { ReportEndpoint } from "./budget.ts";
import { type ClaimedReports, claimBulk, claimSingle } from "./claim.ts";
import { ExchangeError, type ExchangeRequest } from "./exchange.ts";
import { learn, noteNotSent } from "./learn.ts";
import type { ReportsParts } from "./parts.ts";
import { markAbandoned, planAgain, settleReports } from "./queries.ts";
import { deleteCall, saveStatus } from "./quota-queries.ts";
import { verifyUnknown } from "./verify.ts";

/** Longer than the longest call takes. */
const ABANDONED_AFTER_SECONDS = 300;
/** A turn ends by itself; the next one goes on. */
const TURN_MS = 45_000;

/** Until nothing is left, no call is left, or one fails. */
export async function sendReports(parts: ReportsParts, signal: AbortSignal): Promise<void> {
  const { store, clock, api, log } = parts;
  const abandoned = await markAbandoned(store.sql, ABANDONED_AFTER_SECONDS);
  if (abandoned > 0) log.warn("reports.abandoned", { reports: abandoned });
  if (api === undefined || parts.policy().mode !== "send") return;
  await verifyUnknown(parts, api, signal);
  const endMs = clock.monotonicMs() + TURN_MS;
  while (clock.monotonicMs() < endMs) {
    signal.throwIfAborted();
    const claimed = await claimSingle(parts);
    if (claimed === undefined) break;
    if (!(await sendClaimed(parts, "report", claimed, signal))) return;
  }
  const claimed = await claimBulk(parts);
  if (claimed !== undefined) await sendClaimed(parts, "bulk-report", claimed, signal);
}

/** Whether to go on. */
async function sendClaimed(
  parts: ReportsParts,
  endpoint: ReportEndpoint,
  claimed: ClaimedReports,
  signal: AbortSignal,
): Promise<boolean> {
  const { ledger, exchange, api, random } = parts;
  if (api === undefined) return false;
  const now = unixMs(ledger.ledgerTimeMs());
  const request = requestOf(api, endpoint, claimed, { now, boundary: boundaryOf(random.bytes(16)) });
  try {
    const answered = await exchange(request, signal);
    return await settle(parts, endpoint, claimed, readAnswer(answered, unixMs(ledger.ledgerTimeMs())));
  } catch (error) {
    if (error instanceof ExchangeError) return await noteSilence(parts, endpoint, claimed, error);
    if (signal.aborted) await giveBack(parts, claimed); // it stopped before anything was sent
    throw error;
  }
}

async function noteSilence(
  { store, ledger, observe, log }: ReportsParts,
  endpoint: ReportEndpoint,
  { callNo, reports }: ClaimedReports,
  error: ExchangeError,
): Promise<false> {
  const isUnsent = error.code === "not-sent";
  const reason = error.message;
  const reportNos = reports.map(({ reportNo }) => reportNo);
  const now = unixMs(ledger.ledgerTimeMs());
  await store.transaction(async (sql) => {
    if (isUnsent) await planAgain(sql, reportNos, reason);
    else await settleReports(sql, reportNos, { state: "unknown", answer: { reason } });
    await noteNotSent(sql, { endpoint, callNo, isUnsent, reason, now });
  });
  observe(isUnsent ? "not-sent" : "unknown", reportNos.length);
  log.warn("reports.not_answered", { endpoint, reports: reportNos.length, error });
  return false;
}

async function giveBack({ store }: ReportsParts, { callNo, reports }: ClaimedReports): Promise<void> {
  await store.transaction(async (sql) => {
    await planAgain(
      sql,
      reports.map(({ reportNo }) => reportNo),
      "the coordinator stopped",
    );
    await deleteCall(sql, callNo);
  });
}

async function settle(
  parts: ReportsParts,
  endpoint: ReportEndpoint,
  { callNo, reports }: ClaimedReports,
  answer: Answer,
): Promise<boolean> {
  const { store, ledger, log, observe } = parts;
  const { kind, status } = answer;
  const all = reports.map(({ reportNo }) => reportNo);
  const reason = kind === "taken" ? undefined : answer.reason;
  const isGoingOn = await store.transaction(async (sql) => {
    await saveStatus(sql, callNo, status);
    if (kind === "taken") {
      for (const { address, reportNo } of reports) {
        const refusal = answer.refused.get(address);
        if (refusal !== undefined)
          await settleReports(sql, [reportNo], { state: "refused", answer: { status, reason: refusal } });
      }
      const saved = reports.filter(({ address }) => !answer.refused.has(address)).map(({ reportNo }) => reportNo);
      await settleReports(sql, saved, { state: "sent", answer: { status } });
    } else if (isNotTaken(kind)) await planAgain(sql, all, answer.reason);
    else if (kind === "unknown") await settleReports(sql, all, { state: "unknown", answer: { status, reason } });
    else await settleReports(sql, all, { state: "refused", answer: { status, reason } });
    return await learn(sql, endpoint, answer, unixMs(ledger.ledgerTimeMs()));
  });
  const refused = kind === "taken" ? reports.filter(({ address }) => answer.refused.has(address)).length : 0;
  if (kind === "taken") {
    observe("sent", reports.length - refused);
    observe("refused", refused);
  } else observe(isNotTaken(kind) ? "not-sent" : kind, reports.length);
  const level = kind === "taken" || kind === "duplicate" ? "info" : "warn";
  log[level]("reports.answered", { endpoint, outcome: kind, reports: reports.length, refused, status, reason });
  return isGoingOn;
}

function isNotTaken(kind: Answer["kind"]): kind is "quota" | "unauthorized" | "busy" {
  return kind === "quota" || kind === "unauthorized" || kind === "busy";
}

function requestOf(
  api: ReportApi,
  endpoint: ReportEndpoint,
  { reports }: ClaimedReports,
  { now, boundary }: { now: ReturnType<typeof unixMs>; boundary: string },
): ExchangeRequest {
  const [first] = reports;
  if (first === undefined) throw new Error("internal error: nothing was claimed");
  return endpoint === "report" ? singleRequest(api, first, now) : bulkRequest(api, reports, { boundary, now });
}

function boundaryOf(bytes: Uint8Array): string {
  return `fleetban-${Buffer.from(bytes).toString("hex")}`;
}
