/**
 * The calls that a feed's publisher allows a UTC day: pure rules over a record that is kept in Postgres.
 *
 * A call is booked, and the booking committed, before it is made: a crash can waste a call but never hide one. The publisher
 * counts by its own clock, so the window of a day is stretched by the margin on both sides.
 */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { FeedDefinition, RateNotice } from "./feed.ts";

/** As in `feeds.quota`. */
export interface Quota {
  /** Unix ms of the calls that may still count, oldest first. */
  readonly calls: readonly number[];
  /** The publisher said so (429, or nothing left), whoever used it up. */
  readonly blockedUntil?: number;
  /** The publisher's own figure, if it was lower than ours. */
  readonly limit?: number;
  /** Fetches in a row that brought no list. */
  readonly failures?: number;
}

export interface QuotaRules {
  /** 0 = as many as one likes: a file of one's own. */
  readonly callsPerDay: number;
  readonly callsKept: number;
  /** Between two calls, whoever makes them. */
  readonly paceSeconds: number;
}

export type Booking =
  | { readonly kind: "booked"; readonly quota: Quota }
  | { readonly kind: "exhausted"; readonly until: UnixMs };

export const NO_CALLS: Quota = { calls: [] };
const DAY_MS = 24 * 3600_000;
/** How far the publisher's clock may be from the ledger's. */
const CLOCK_MARGIN_MS = 15 * 60_000;
const PAUSE_MIN_MS = 60_000;

/** `byHand` may use the calls that the schedule leaves. */
export function bookCall(quota: Quota, rules: QuotaRules, byHand: boolean, now: UnixMs): Booking {
  if (quota.blockedUntil !== undefined && quota.blockedUntil > now) {
    return { kind: "exhausted", until: unixMs(quota.blockedUntil) };
  }
  const { callsPerDay, paceSeconds } = rules;
  if (callsPerDay === 0) return { kind: "booked", quota };
  const calls = callsThatCount(quota, now);
  const nextMs = (quota.calls.at(-1) ?? 0) + paceSeconds * 1_000;
  if (nextMs > now && nextMs <= now + paceSeconds * 1_000) return { kind: "exhausted", until: unixMs(nextMs) };
  const limit = limitOf(quota, rules);
  const allowed = byHand ? limit : Math.max(1, limit - rules.callsKept);
  if (calls.length >= allowed) return { kind: "exhausted", until: nextDay(now) };
  const { blockedUntil: _, ...rest } = quota;
  return { kind: "booked", quota: { ...rest, calls: [...calls, now] } };
}

/** What the publisher's headers teach: a lower limit, calls made elsewhere with the same key, a pause. */
export function learnRate(quota: Quota, rate: RateNotice, refusal: "day" | "pace" | undefined, now: UnixMs): Quota {
  const limit = rate.limit === undefined ? quota.limit : Math.min(rate.limit, quota.limit ?? rate.limit);
  const learned = limit === undefined ? quota : { ...quota, limit };
  if (refusal === "pace") {
    const pause = sensiblePause(rate.retryAt, now);
    return pause === undefined ? learned : { ...learned, blockedUntil: pause };
  }
  if (refusal === undefined && rate.remaining !== 0) return learned;
  return { ...learned, blockedUntil: pauseEnd(refusal === "day" ? rate.retryAt : undefined, now) };
}

export function callsUsed(quota: Quota, now: UnixMs): number {
  return callsThatCount(quota, now).length;
}

export function quotaRulesOf(feed: FeedDefinition): QuotaRules {
  if (feed.kind === "abuseipdb") return { ...feed.abuseipdb, paceSeconds: 0 };
  const { paceSeconds } = feed.settings;
  return { callsPerDay: paceSeconds === 0 ? 0 : Math.ceil(DAY_MS / 1_000 / paceSeconds), callsKept: 0, paceSeconds };
}

export function limitOf(quota: Quota, { callsPerDay }: Pick<QuotaRules, "callsPerDay">): number {
  return Math.min(callsPerDay, quota.limit ?? callsPerDay);
}

/** Every call that may lie in the publisher's same UTC day as a call made now. */
function callsThatCount(quota: Quota, now: UnixMs): readonly number[] {
  const from = dayStart(now - CLOCK_MARGIN_MS) - CLOCK_MARGIN_MS;
  return quota.calls.filter((call) => call >= from);
}

/** A pause that can't be right ends with the day. */
function pauseEnd(said: UnixMs | undefined, now: UnixMs): UnixMs {
  return sensiblePause(said, now) ?? nextDay(now);
}

/** Undefined for what is past or beyond the next day: their clock or header is off. */
export function sensiblePause(said: UnixMs | undefined, now: UnixMs): UnixMs | undefined {
  const isSensible = said !== undefined && said > now && said <= nextDay(now) + CLOCK_MARGIN_MS;
  return isSensible ? unixMs(Math.max(said, now + PAUSE_MIN_MS)) : undefined;
}

/** When the publisher's next day has surely begun. */
function nextDay(now: UnixMs): UnixMs {
  return unixMs(dayStart(now - CLOCK_MARGIN_MS) + DAY_MS + CLOCK_MARGIN_MS);
}

function dayStart(atMs: number): number {
  return Math.floor(atMs / DAY_MS) * DAY_MS;
}
