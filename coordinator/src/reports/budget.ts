/**
 * How many calls of a day are left, and when the next bulk report is due: pure rules over what Postgres keeps.
 *
 * Every call is booked and committed before it is made. AbuseIPDB's own word beats ours: its limit replaces the free plan's,
 * its `remaining` counts what others spent with the same key, and after a 429 nothing is asked until it says so.
 */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";

export type ReportEndpoint = "report" | "bulk-report" | "check";

export interface QuotaTold {
  /** As its headers said last. */
  readonly callsADay: number | undefined;
  readonly remaining: number | undefined;
  readonly toldAt: UnixMs | undefined;
  readonly blockedUntil: UnixMs | undefined;
  readonly failures: number;
}

/** What headers say. */
export interface RateTold {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  readonly retryAt: UnixMs | undefined;
}

const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
/** How far their clock may be from the ledger's. */
export const CLOCK_MARGIN_MS = 15 * 60_000;
/** Of the free plan, until a header says otherwise. */
const FREE_CALLS: Readonly<Record<ReportEndpoint, number>> = { report: 1_000, "bulk-report": 5, check: 1_000 };
const PAUSE_MIN_MS = 60_000;
const FAILED_MIN_MS = 60_000;
const FAILED_MAX_MS = 30 * 60_000;
/** Nobody repairs a key within minutes, and each try is counted by the service. */
const UNAUTHORIZED_MS = HOUR_MS;

/** Calls made since this moment may lie in the service's same day. */
export function dayFrom(now: UnixMs): UnixMs {
  return unixMs(dayStart(now - CLOCK_MARGIN_MS) - CLOCK_MARGIN_MS);
}

export function callsADay(endpoint: ReportEndpoint, told: QuotaTold, share: number): number {
  return Math.max(1, Math.floor((told.callsADay ?? FREE_CALLS[endpoint]) * share));
}

/** `made` = booked since `dayFrom(now)`. */
export function callsLeft(
  endpoint: ReportEndpoint,
  told: QuotaTold,
  { made, share, now }: { made: number; share: number; now: UnixMs },
): number {
  if (told.blockedUntil !== undefined && told.blockedUntil > now) return 0;
  const ours = callsADay(endpoint, told, share) - made;
  // After a pause that it named itself it gives anew, whatever it said before.
  const isToday =
    told.toldAt !== undefined && dayStart(told.toldAt) === dayStart(now) && told.blockedUntil === undefined;
  const theirs = isToday && told.remaining !== undefined ? told.remaining : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(ours, theirs));
}

/** The day's bulk reports are spread over it: what gathers meanwhile goes with the next. */
export function bulkEveryMs(told: QuotaTold, share: number): number {
  return Math.floor(DAY_MS / callsADay("bulk-report", told, share));
}

/** Until when nothing more is asked after this kind of answer; undefined = go on. */
export function pauseAfter(
  kind: "quota" | "unauthorized" | "failed",
  { failures, retryAt, now }: { failures: number; retryAt: UnixMs | undefined; now: UnixMs },
): UnixMs {
  if (kind === "unauthorized") return unixMs(now + UNAUTHORIZED_MS);
  if (kind === "failed") return unixMs(now + Math.min(FAILED_MAX_MS, FAILED_MIN_MS * 2 ** Math.min(failures, 10)));
  // A pause that can't be right (past, or beyond the next day: their clock or header is off) ends with the day.
  const isSensible = retryAt !== undefined && retryAt > now && retryAt <= nextDay(now) + CLOCK_MARGIN_MS;
  return unixMs(isSensible ? Math.max(retryAt, now + PAUSE_MIN_MS) : nextDay(now));
}

/** When the service's next day has surely begun. */
function nextDay(now: UnixMs): UnixMs {
  return unixMs(dayStart(now - CLOCK_MARGIN_MS) + DAY_MS + CLOCK_MARGIN_MS);
}

function dayStart(atMs: number): number {
  return Math.floor(atMs / DAY_MS) * DAY_MS;
}
