/**
 * Whether sightings strike anew, or extend the last strike, and until when.
 *
 * A strike is one time that sightings got the prefix listed. Further sightings within its rung of the ladder extend it
 * at that rung and strike no second time: what ten servers see in one minute is one attack.
 */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { FreshSighting, Strike } from "./evidence.ts";
import type { Policy } from "./policy.ts";

/** What becomes of the prefix' strikes. */
export type StrikeChange =
  | {
      readonly kind: "new";
      readonly until: UnixSeconds;
      readonly struckAt: UnixSeconds;
      readonly rungSeconds: number;
    }
  | { readonly kind: "extended"; readonly strikeNo: number; readonly until: UnixSeconds };

/**
 * A sighting within the last strike's own rung extends it, one after that strikes anew, whether or not the listing was
 * extended meanwhile: otherwise a sighting more would put off the next strike, and list for less.
 */
export function strikeChange(
  sightings: readonly FreshSighting[],
  strikes: readonly Strike[],
  policy: Policy,
  now: UnixSeconds,
): StrikeChange | undefined {
  const last = strikes.reduce<Strike | undefined>(
    (a, b) => (a !== undefined && a.struckAt > b.struckAt ? a : b),
    undefined,
  );
  const fresh = sightings.filter(({ kind, at }) => kind === "ban" || wasInForce(strikes, at));
  const bans = fresh.filter(({ kind }) => kind === "ban").map(({ at }) => at);
  const later = bans.filter((at) => last === undefined || at > last.struckAt + last.rungSeconds);
  const isNew = later.length > 0;
  const earliest = unixSeconds(Math.min(now, ...bans));
  const rungSeconds = isNew || last === undefined ? ladderSeconds(strikes, earliest, policy) : last.rungSeconds;
  const until = unixSeconds(Math.max(0, ...fresh.map((sighting) => endOf(sighting, rungSeconds, policy))));
  if (isExpired(until, now)) return undefined; // all of it is over: remembered, not listed
  if (isNew) return { kind: "new", until, struckAt: unixSeconds(Math.min(...later)), rungSeconds };
  if (last === undefined || until <= last.until) return undefined;
  return { kind: "extended", strikeNo: last.strikeNo, until };
}

/** Any of them: a later strike may end before an earlier one. */
function wasInForce(strikes: readonly Strike[], at: UnixSeconds): boolean {
  return strikes.length === 0 || strikes.some(({ until }) => !isExpired(until, at));
}

/** A ban lists for the rung, at least for the local ban time; a prolongation for the local time alone. */
function endOf({ kind, at, banSeconds }: FreshSighting, rungSeconds: number, policy: Policy): number {
  const localSeconds = banSeconds < 0 ? policy.maxSeconds : banSeconds;
  const seconds = kind === "ban" ? Math.max(rungSeconds, localSeconds, policy.minSeconds) : localSeconds;
  return at + Math.min(seconds, policy.maxSeconds);
}

export function ladderSeconds(strikes: readonly Strike[], at: UnixSeconds, policy: Policy): number {
  const rung = strikesRemembered(strikes, at, policy);
  return policy.ladderSeconds[Math.min(rung, policy.ladderSeconds.length - 1)] ?? policy.maxSeconds;
}

/** Strikes are forgotten together, when the last one has been over for long enough. */
export function strikesRemembered(strikes: readonly Strike[], at: UnixSeconds, policy: Policy): number {
  if (strikes.length === 0) return 0;
  let remembered = 0;
  let next: number = at;
  for (const { struckAt, until } of [...strikes].sort((a, b) => b.struckAt - a.struckAt)) {
    if (until + policy.strikeMemorySeconds <= next) break;
    next = struckAt;
    remembered += 1;
  }
  return remembered;
}
