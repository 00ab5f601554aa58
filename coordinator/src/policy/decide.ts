/**
 * The policy's one question: given all that is known of a prefix, is it listed on `fleet`, until when, at which rank?
 *
 * Pure: the same function lists, explains and plans. Protection beats the allowlist, that beats a pardon, that beats
 * every evidence; one more sighting never lists for less (keeps invariants 5 and 9).
 *
 * A strike is one time that sightings got the prefix listed. Further sightings within its rung of the ladder extend it
 * at that rung and strike no second time: what ten servers see in one minute is one attack.
 */
import { RANK, type Rank } from "@fleetban/proto/model/listing";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired, laterUntil } from "@fleetban/proto/model/until";
import type { Evidence, Exemption, FreshSighting, Offender, Strike } from "./evidence.ts";
import { remember, scoreAt } from "./offender.ts";
import type { Policy } from "./policy.ts";

export type NotListedBecause =
  | "special-purpose"
  | "own-address"
  | "allowed"
  | "pardoned"
  /** Nothing speaks for it, or what did has ended. */
  | "nothing-in-force"
  /** Sightings that count, and not enough of them. */
  | "too-little-evidence";

/** What becomes of the prefix' strikes. */
export type StrikeChange =
  | {
      readonly kind: "new";
      readonly until: UnixSeconds;
      readonly struckAt: UnixSeconds;
      readonly rungSeconds: number;
    }
  | { readonly kind: "extended"; readonly strikeNo: number; readonly until: UnixSeconds };

export interface VerdictReason {
  readonly kind: "strike" | "ban";
  /** Absent = of the new strike. */
  readonly number: number | undefined;
}

export type Verdict =
  | {
      readonly kind: "listed";
      readonly until: UnixSeconds;
      readonly rank: Rank;
      readonly reasons: readonly VerdictReason[];
      readonly strike: StrikeChange | undefined;
      readonly offender: Offender | undefined;
    }
  | {
      readonly kind: "not-listed";
      readonly because: NotListedBecause;
      /** The range, address or prefix that keeps it off. */
      readonly by: string | undefined;
      readonly offender: Offender | undefined;
    };

export function decide(evidence: Evidence, policy: Policy, now: UnixSeconds): Verdict {
  const kept = keptOff(evidence, now);
  if (kept !== undefined) return { kind: "not-listed", ...kept, offender: evidence.offender };
  const from = evidenceFrom(evidence);
  const offender = remember(evidence, from, policy);
  const strikes = evidence.strikes.filter(({ struckAt }) => struckAt > from);
  const strike = isEnough(evidence, offender, policy, now)
    ? strikeChange(evidence, strikes, from, policy, now)
    : undefined;
  const listed = listing(evidence, strikes, strike, policy, now);
  if (listed !== undefined) return { kind: "listed", ...listed, strike, offender };
  const isTooLittle = offender !== undefined && !isEnough(evidence, offender, policy, now);
  const because = isTooLittle ? "too-little-evidence" : "nothing-in-force";
  return { kind: "not-listed", because, by: undefined, offender };
}

/** What no evidence gets past. */
export function keptOff(
  { prefix, ownAddress, exemptions }: Pick<Evidence, "prefix" | "ownAddress" | "exemptions">,
  now: UnixSeconds,
): { because: NotListedBecause; by: string } | undefined {
  const special = specialPurposeOf(prefix);
  if (special !== undefined) return { because: "special-purpose", by: special.range };
  if (ownAddress !== undefined) return { because: "own-address", by: ownAddress };
  const active = exemptions.filter(({ until }) => !isExpired(until, now));
  const exemption = active.find(({ kind }) => kind === "allowed") ?? active[0];
  return exemption === undefined ? undefined : { because: exemption.kind, by: exemption.prefix };
}

/** Nothing up to this moment counts: a void, and whatever came before the end of a pardon or of the allowlist. */
function evidenceFrom({ offender, exemptions }: Evidence): UnixSeconds {
  const ends = exemptions.map(({ until }: Exemption) => until);
  return unixSeconds(Math.max(offender?.evidenceFrom ?? 0, ...ends));
}

function isEnough({ feeds }: Evidence, offender: Offender | undefined, policy: Policy, now: UnixSeconds): boolean {
  if (offender === undefined) return false;
  const since = now - policy.corroborationWindowSeconds;
  const agents = offender.recent.filter(({ at }) => at >= since).length;
  const witnesses = agents + (policy.feedsCorroborate && feeds.length > 0 ? 1 : 0);
  return witnesses >= policy.corroboration && scoreAt(offender, offender.lastAt, policy) >= policy.threshold;
}

/**
 * A sighting within the last strike's own rung extends it, one after that strikes anew, whether or not the listing was
 * extended meanwhile: otherwise a sighting more would put off the next strike, and list for less.
 */
function strikeChange(
  evidence: Evidence,
  strikes: readonly Strike[],
  from: UnixSeconds,
  policy: Policy,
  now: UnixSeconds,
): StrikeChange | undefined {
  const last = strikes.reduce<Strike | undefined>(
    (a, b) => (a !== undefined && a.struckAt > b.struckAt ? a : b),
    undefined,
  );
  const fresh = evidence.fresh.filter(({ kind, at }) => at > from && (kind === "ban" || wasInForce(last, at)));
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

function wasInForce(strike: Strike | undefined, at: UnixSeconds): boolean {
  return strike === undefined || !isExpired(strike.until, at);
}

/** A ban lists for the rung, at least for the local ban time; a prolongation for the local time alone. */
function endOf({ kind, at, banSeconds }: FreshSighting, rungSeconds: number, policy: Policy): number {
  const localSeconds = banSeconds < 0 ? policy.maxSeconds : banSeconds;
  const seconds = kind === "ban" ? Math.max(rungSeconds, localSeconds, policy.minSeconds) : localSeconds;
  return at + Math.min(seconds, policy.maxSeconds);
}

/** Strikes are forgotten together, when the last one has been over for long enough. */
function ladderSeconds(strikes: readonly Strike[], at: UnixSeconds, policy: Policy): number {
  let rung = 0;
  let next: number = at;
  for (const { struckAt, until } of [...strikes].sort((a, b) => b.struckAt - a.struckAt)) {
    if (until + policy.strikeMemorySeconds <= next) break;
    next = struckAt;
    rung += 1;
  }
  return policy.ladderSeconds[Math.min(rung, policy.ladderSeconds.length - 1)] ?? policy.maxSeconds;
}

function listing(
  { bans }: Evidence,
  strikes: readonly Strike[],
  change: StrikeChange | undefined,
  policy: Policy,
  now: UnixSeconds,
) {
  const grounds: { until: UnixSeconds; rank: Rank; reason: VerdictReason }[] = [];
  const count = strikes.length + (change?.kind === "new" ? 1 : 0);
  const strikeRank = count >= policy.repeatStrikes ? RANK.repeat : RANK.fleet;
  for (const { banNo, until, rank } of bans) grounds.push({ until, rank, reason: { kind: "ban", number: banNo } });
  for (const { strikeNo, until } of strikes) {
    const extended = change?.kind === "extended" && change.strikeNo === strikeNo ? change.until : until;
    grounds.push({ until: extended, rank: strikeRank, reason: { kind: "strike", number: strikeNo } });
  }
  if (change?.kind === "new") {
    grounds.push({ until: change.until, rank: strikeRank, reason: { kind: "strike", number: undefined } });
  }
  const inForce = grounds.filter(({ until }) => !isExpired(until, now));
  if (inForce.length === 0) return undefined;
  return {
    until: inForce.map(({ until }) => until).reduce(laterUntil),
    rank: inForce.map(({ rank }) => rank).reduce(higherRank),
    reasons: inForce.map(({ reason }) => reason),
  };
}

function higherRank(a: Rank, b: Rank): Rank {
  return a < b ? a : b;
}
