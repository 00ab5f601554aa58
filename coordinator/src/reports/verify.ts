/**
 * Asks the service whether it has the reports whose answer never came, so that none is sent twice and none is lost.
 *
 * Not within the quarter hour in which it would refuse a second one anyway. A bulk report is taken as a whole: a few of its
 * rows tell of all. What it can't say is asked again later; after a day nobody asks any more.
 */
import { unixMs } from "@fleetban/proto/model/time";
import { checkRequest, isReportedThere, type ReportApi, readAnswer } from "./abuseipdb-report.ts";
import { claimCheck } from "./claim.ts";
import { ExchangeError } from "./exchange.ts";
import { learn, noteNotSent } from "./learn.ts";
import type { ReportsParts } from "./parts.ts";
import { planAgain, selectUnknown, settleReports, type UnknownCall } from "./queries.ts";
import { saveStatus } from "./quota-queries.ts";

const QUARTER_HOUR_SECONDS = 15 * 60;
const GIVEN_UP_SECONDS = 24 * 3600;
const ROWS_ASKED = 3;

export async function verifyUnknown(parts: ReportsParts, api: ReportApi, signal: AbortSignal): Promise<void> {
  const { store, log, observe } = parts;
  const calls = await selectUnknown(store.sql, {
    afterSeconds: QUARTER_HOUR_SECONDS,
    givenUpSeconds: GIVEN_UP_SECONDS,
  });
  for (const call of calls) {
    signal.throwIfAborted();
    const isThere = await isThereOf(parts, api, call, signal);
    if (isThere === undefined) return;
    const reportNos = call.reports.map(({ reportNo }) => reportNo);
    await store.transaction(async (sql) => {
      if (isThere) await settleReports(sql, reportNos, { state: "sent", answer: { reason: "found there afterwards" } });
      else await planAgain(sql, reportNos, "had not arrived");
    });
    if (isThere) observe("sent", reportNos.length);
    log.info("reports.verified", { reports: reportNos.length, isThere });
  }
}

/** Undefined = can't be said now. */
async function isThereOf(
  parts: ReportsParts,
  api: ReportApi,
  { reports }: UnknownCall,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { store, ledger, exchange, log } = parts;
  for (const report of reports.slice(0, ROWS_ASKED)) {
    const callNo = await claimCheck(parts);
    if (callNo === undefined) return undefined;
    const now = unixMs(ledger.ledgerTimeMs());
    try {
      const answered = await exchange(checkRequest(api, report, now), signal);
      await store.transaction(async (sql) => {
        await saveStatus(sql, callNo, answered.status);
        await learn(sql, "check", readAnswer(answered, now), now);
      });
      const isThere = isReportedThere(answered, report.comment);
      if (isThere !== false) return isThere;
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      const isUnsent = error.code === "not-sent";
      const missed = { endpoint: "check", callNo, isUnsent, reason: error.message, now } as const;
      await store.transaction((sql) => noteNotSent(sql, missed));
      log.warn("reports.not_verified", { error });
      return undefined;
    }
  }
  return false;
}
