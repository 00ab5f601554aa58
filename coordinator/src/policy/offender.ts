/** How sightings add up to what the fleet remembers of an offender. Pure arithmetic; its row is the ledger's. */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { FreshSighting, Offender, SeenBy } from "./evidence.ts";
import { type Policy, weightOf } from "./policy.ts";

/** Enough for any corroboration that somebody would ask for. */
export const AGENTS_REMEMBERED = 32;
const FADED_SCORE = 0.05;

/** What is known of the prefix after these sightings; what is known from before `from` is left out. */
export function remember(
  before: Offender | undefined,
  fresh: readonly FreshSighting[],
  from: UnixSeconds,
  policy: Policy,
): Offender | undefined {
  const bans = inOrder(fresh.every(isBan) ? fresh : fresh.filter(isBan));
  if (bans.length === 0) return before;
  const kept = before !== undefined && before.lastAt > from ? before : undefined;
  let [firstAt, lastAt] = [before?.firstAt ?? Number.POSITIVE_INFINITY, before?.lastAt ?? 0];
  for (const { at } of bans) {
    if (at < firstAt) firstAt = at;
    if (at > lastAt) lastAt = at;
  }
  let score = kept === undefined ? 0 : scoreAt(kept, unixSeconds(lastAt), policy);
  for (const one of bans) score += faded(weightOf(one, policy), lastAt - one.at, policy);
  return {
    firstAt: unixSeconds(firstAt),
    lastAt: unixSeconds(lastAt),
    sightings: (before?.sightings ?? 0) + bans.length,
    score,
    recent: withNewest(kept?.recent ?? [], bans, from),
    evidenceFrom: before?.evidenceFrom ?? unixSeconds(0),
  };
}

/** The most that these sightings came to when one of them was seen, with what was known by then. */
export function peakScore(
  before: Offender | undefined,
  fresh: readonly FreshSighting[],
  from: UnixSeconds,
  policy: Policy,
): number {
  let waiting = before !== undefined && before.lastAt > from ? before : undefined;
  let [score, atLast, peak] = [0, 0, 0];
  for (const one of inOrder(fresh.filter(isBan))) {
    score = faded(score, one.at - atLast, policy) + weightOf(one, policy);
    if (waiting !== undefined && waiting.lastAt <= one.at) {
      score += scoreAt(waiting, one.at, policy);
      waiting = undefined;
    }
    atLast = one.at;
    peak = Math.max(peak, score);
  }
  return peak;
}

function isBan({ kind }: FreshSighting): boolean {
  return kind === "ban";
}

export function scoreAt(offender: Offender, at: UnixSeconds, policy: Policy): number {
  return faded(offender.score, at - offender.lastAt, policy);
}

/** When the score is as good as nothing. */
export function decaysAt(offender: Offender, policy: Policy): UnixSeconds {
  const halvings = Math.max(0, Math.log2(offender.score / FADED_SCORE));
  return unixSeconds(offender.lastAt + Math.ceil(halvings * policy.halfLifeSeconds));
}

/** What is left of a weight after that time. */
export function faded(score: number, afterSeconds: number, policy: Policy): number {
  return afterSeconds <= 0 ? score : score * 2 ** (-afterSeconds / policy.halfLifeSeconds);
}

/** Whatever order they came in: sums of fractions and what is newest of equals must not depend on it. */
function inOrder<Seen extends SeenBy>(seen: readonly Seen[]): readonly Seen[] {
  return seen.length < 2 ? seen : seen.toSorted(order);
}

function order(a: SeenBy, b: SeenBy): number {
  return a.at - b.at || a.agentNo - b.agentNo || (a.jail < b.jail ? -1 : Number(a.jail > b.jail));
}

/** The newest of each agent, both given and made in the order of time. */
function withNewest(recent: readonly SeenBy[], seen: readonly SeenBy[], from: UnixSeconds): readonly SeenBy[] {
  const newest: SeenBy[] = [];
  for (const one of recent) if (one.at > from) newest.push(one);
  for (const { agentNo, jail, at } of seen) {
    const one = { agentNo, jail, at };
    const known = newest.findIndex((other) => other.agentNo === agentNo);
    const before = newest[known];
    if (before !== undefined && order(before, one) >= 0) continue;
    if (before !== undefined) newest.splice(known, 1);
    let place = newest.length;
    for (; place > 0; place -= 1) {
      const other = newest[place - 1];
      if (other === undefined || order(other, one) <= 0) break;
    }
    newest.splice(place, 0, one);
    if (newest.length > AGENTS_REMEMBERED) newest.shift();
  }
  return newest;
}
