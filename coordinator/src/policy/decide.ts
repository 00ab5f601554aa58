/**
 * The policy's one question: given all that is known of a prefix, is it listed on that list, until when, at which rank?
 *
 * Pure: the same function lists, explains, plans and replays. Protection beats the allowlist, that beats a pardon, that
 * beats every evidence; one more sighting never lists for less (keeps invariants 5 and 9).
 */
import { RANK, type Rank } from "@fleetban/proto/model/listing";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired, laterUntil } from "@fleetban/proto/model/until";
import type { Evidence, Offender, Strike } from "./evidence.ts";
import { peakScore, remember } from "./offender.ts";
import { type Policy, weightOf } from "./policy.ts";
import { type StrikeChange, strikeChange, strikesRemembered } from "./strike-change.ts";
import { widened } from "./widen.ts";

export type NotListedBecause =
  | "special-purpose"
  | "own-address"
  | "allowed"
  | "pardoned"
  /** Nothing speaks for it, or what did has ended. */
  | "nothing-in-force"
  /** Sightings that count, and not enough of them. */
  | "too-little-evidence";

export interface VerdictReason {
  /** `widened`: for what is listed inside it. */
  readonly kind: "strike" | "ban" | "widened";
  /** Of the strike or ban, absent = of the new strike; of what is inside, how many. */
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
  const fresh = evidence.fresh.filter((one) => one.at > from && weightOf(one, policy) > 0);
  const offender = remember(evidence.offender, fresh, from, policy);
  const strikes = evidence.strikes.filter(({ struckAt }) => struckAt > from);
  const lacking = offender === undefined ? [] : shortcomingsOf(evidence, offender, policy, now);
  const isCorroborated = offender !== undefined && lacking.every(({ kind }) => kind === "weight");
  // What comes later with it takes nothing from what was enough when it was seen.
  const isEnough =
    isCorroborated && (lacking.length === 0 || peakScore(evidence.offender, fresh, from, policy) >= policy.threshold);
  // A prolongation has no weight: it tells more of what was enough before.
  const telling = isEnough ? fresh : fresh.filter(({ kind }) => kind === "prolong");
  const strike = isCorroborated ? strikeChange(telling, strikes, policy, now) : undefined;
  const listed = listing(groundsOf(evidence, strikes, strike, policy, now));
  if (listed !== undefined) return { kind: "listed", ...listed, strike, offender };
  const because = offender !== undefined && !isEnough ? "too-little-evidence" : "nothing-in-force";
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
  if (exemptions.length === 0) return undefined;
  const active = exemptions.filter(({ until }) => !isExpired(until, now));
  const exemption = active.find(({ kind }) => kind === "allowed") ?? active[0];
  return exemption === undefined ? undefined : { because: exemption.kind, by: exemption.prefix };
}

/** Nothing up to this moment counts: a void, and whatever came before the end of a pardon or of the allowlist. */
export function evidenceFrom({ offender, exemptions }: Pick<Evidence, "offender" | "exemptions">): UnixSeconds {
  let from = offender?.evidenceFrom ?? unixSeconds(0);
  for (const { until } of exemptions) if (until > from) from = until;
  return from;
}

/** What sightings lack before they list. */
export interface Shortcoming {
  readonly kind: "agents" | "weight";
  readonly there: number;
  readonly needed: number;
}

export function shortcomingsOf(
  { feeds }: Pick<Evidence, "feeds">,
  { recent, score }: Offender,
  policy: Policy,
  now: UnixSeconds,
): Shortcoming[] {
  const since = now - policy.corroborationWindowSeconds;
  let agents = 0;
  for (const { at } of recent) if (at >= since) agents += 1;
  const witnesses = agents + (policy.feedsCorroborate && feeds.length > 0 ? 1 : 0);
  const lacking: Shortcoming[] = [];
  if (witnesses < policy.corroboration)
    lacking.push({ kind: "agents", there: witnesses, needed: policy.corroboration });
  if (score < policy.threshold) lacking.push({ kind: "weight", there: score, needed: policy.threshold });
  return lacking;
}

/** One thing that lists the prefix. */
interface Ground extends VerdictReason {
  readonly until: UnixSeconds;
  readonly rank: Rank;
}

/** Those in force. */
function groundsOf(
  evidence: Evidence,
  strikes: readonly Strike[],
  change: StrikeChange | undefined,
  policy: Policy,
  now: UnixSeconds,
): Ground[] {
  const grounds: Ground[] = [];
  const add = (kind: Ground["kind"], number: number | undefined, until: UnixSeconds, rank: Rank) => {
    if (!isExpired(until, now)) grounds.push({ kind, number, until, rank });
  };
  const struckAt = change?.kind === "new" ? change.struckAt : now;
  const count = strikesRemembered(strikes, struckAt, policy) + (change?.kind === "new" ? 1 : 0);
  const strikeRank = count >= policy.repeatStrikes ? RANK.repeat : RANK.fleet;
  for (const { banNo, until, rank } of evidence.bans) add("ban", banNo, until, rank);
  for (const { strikeNo, until } of strikes) {
    const extended = change?.kind === "extended" && change.strikeNo === strikeNo ? change.until : until;
    add("strike", strikeNo, extended, strikeRank);
  }
  if (change?.kind === "new") add("strike", undefined, change.until, strikeRank);
  const wide = widened(evidence, policy, now);
  if (wide !== undefined) add("widened", wide.members, wide.until, RANK.fleet);
  return grounds;
}

function listing(grounds: readonly Ground[]) {
  const [first] = grounds;
  if (first === undefined) return undefined;
  let { until, rank } = first;
  for (const ground of grounds) {
    until = laterUntil(until, ground.until);
    rank = higherRank(rank, ground.rank);
  }
  return { until, rank, reasons: grounds.map(({ kind, number }) => ({ kind, number })) };
}

function higherRank(a: Rank, b: Rank): Rank {
  return a < b ? a : b;
}
