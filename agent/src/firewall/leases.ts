/**
 * Leases: which timeout an entry is written with, and when it is written anew (PROTOCOL rule 6).
 *
 * The kernel counts down; nothing is deleted because a clock says so. An entry gets what is left of its listing, at most
 * the list's lease, and is written anew when less than half of that is left. An exempt entry's lease is a day longer than
 * any deny list's, so that a hole never ends before what it is a hole in.
 */
import type { List } from "@fleetban/proto/model/listing";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { secondsLeft } from "@fleetban/proto/model/until";

export const KERNEL_TIMEOUT_MAX_SECONDS = 2_147_483; // ipset: 2^31-1 ms
/** Looked for so often that what has three times this left can wait for the next look. */
export const RENEWAL_INTERVAL_MS = 60_000;

const RENEW_BELOW_SECONDS = 180;
const EXEMPT_LONGER_SECONDS = 86_400;
/** Differences that rounding and a slow batch make. */
const SLACK_SECONDS = 5;

/** `lists` = all that are known; `fallbackSeconds` for a list that names no lease. */
export function leaseOf(list: List, lists: readonly List[], fallbackSeconds: number): number {
  const told = (one: List) => (one.leaseSeconds > 0 ? one.leaseSeconds : fallbackSeconds);
  if (list.effect !== "exempt") return Math.min(told(list), KERNEL_TIMEOUT_MAX_SECONDS - EXEMPT_LONGER_SECONDS);
  const longestDeny = Math.max(fallbackSeconds, ...lists.filter(({ effect }) => effect !== "exempt").map(told));
  return Math.min(Math.max(told(list), longestDeny + EXEMPT_LONGER_SECONDS), KERNEL_TIMEOUT_MAX_SECONDS);
}

/** At least 1: 0 would be no timeout at all. */
export function timeoutFor(until: UnixSeconds, now: UnixSeconds, leaseSeconds: number): number {
  return Math.max(1, Math.min(secondsLeft(until, now), leaseSeconds));
}

/** Whether an entry with that much left (undefined = not there) is to be written with `seconds` (0 = no timeout). */
export function differs(seconds: number, leftSeconds: number | undefined): boolean {
  if (leftSeconds === undefined || leftSeconds <= 0) return true;
  const wanted = seconds === 0 ? Number.POSITIVE_INFINITY : seconds;
  return wanted !== leftSeconds && Math.abs(wanted - leftSeconds) > SLACK_SECONDS;
}

/** As `differs`, for a lease: one that is merely shorter has time until less than half is left. */
export function needsRenewal(seconds: number, leftSeconds: number | undefined): boolean {
  if (!differs(seconds, leftSeconds) || leftSeconds === undefined) return differs(seconds, leftSeconds);
  return leftSeconds > seconds || leftSeconds < Math.max(seconds / 2, RENEW_BELOW_SECONDS);
}
