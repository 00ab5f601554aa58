/** When a listing ends. The only place that knows 0 as open-ended: nobody else compares `until` with `<`. */
import { type UnixSeconds, unixSeconds } from "./time.ts";

export const OPEN_ENDED: UnixSeconds = unixSeconds(0);

export function isOpenEnded(until: UnixSeconds): boolean {
  return until === OPEN_ENDED;
}

export function isExpired(until: UnixSeconds, now: UnixSeconds): boolean {
  return until !== OPEN_ENDED && until <= now;
}

export function laterUntil(a: UnixSeconds, b: UnixSeconds): UnixSeconds {
  if (a === OPEN_ENDED || b === OPEN_ENDED) return OPEN_ENDED;
  return a > b ? a : b;
}

/** 0 once expired, Infinity when open-ended. */
export function secondsLeft(until: UnixSeconds, now: UnixSeconds): number {
  return until === OPEN_ENDED ? Number.POSITIVE_INFINITY : Math.max(0, until - now);
}

/** Columns keep an end in 32 bits: 7 February 2106. */
export const MAX_UNTIL: UnixSeconds = unixSeconds(4_294_967_295);

/** The end of what begins now; 0 seconds, and an end beyond what columns can hold, are open-ended. */
export function untilAfter(now: UnixSeconds, seconds: number): UnixSeconds {
  const until = now + seconds;
  return seconds === 0 || until > MAX_UNTIL ? OPEN_ENDED : unixSeconds(until);
}
