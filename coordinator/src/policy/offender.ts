/** How sightings add up to what the fleet remembers of an offender. Pure arithmetic; its row is the ledger's. */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { FreshSighting, Offender, SeenBy } from "./evidence.ts";
import { type Policy, weightOf } from "./policy.ts";

const AGENTS_REMEMBERED = 32; // enough for any corroboration that somebody would ask for
const FADED_SCORE = 0.05;

/** What is known of the prefix after these sightings; what is known from before `from` is left out. */
export function remember(
  before: Offender | undefined,
  fresh: readonly FreshSighting[],
  from: UnixSeconds,
  policy: Policy,
): Offender | undefined {
  const counted = inOrder(fresh.filter(({ kind }) => kind === "ban"));
  if (counted.length === 0) return before;
  const kept = before !== undefined && before.lastAt > from ? before : undefined;
  const lastAt = unixSeconds(Math.max(before?.lastAt ?? 0, ...counted.map(({ at }) => at)));
  const added = counted.reduce((sum, one) => sum + faded(weightOf(one, policy), lastAt - one.at, policy), 0);
  return {
    firstAt: unixSeconds(Math.min(before?.firstAt ?? Number.POSITIVE_INFINITY, ...counted.map(({ at }) => at))),
    lastAt,
    sightings: (before?.sightings ?? 0) + counted.length,
    score: (kept === undefined ? 0 : scoreAt(kept, lastAt, policy)) + added,
    recent: newestOfEach([...(kept?.recent ?? []).filter(({ at }) => at > from), ...counted]),
    evidenceFrom: before?.evidenceFrom ?? unixSeconds(0),
  };
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
  return score * 2 ** (-Math.max(0, afterSeconds) / policy.halfLifeSeconds);
}

/** Whatever order they came in: sums of fractions and what is newest of equals must not depend on it. */
function inOrder<Seen extends SeenBy>(seen: readonly Seen[]): readonly Seen[] {
  if (seen.length < 2) return seen;
  return seen.toSorted(
    (a, b) => a.at - b.at || a.agentNo - b.agentNo || (a.jail < b.jail ? -1 : Number(a.jail > b.jail)),
  );
}

function newestOfEach(seen: readonly SeenBy[]): SeenBy[] {
  const newestByAgent = new Map<number, SeenBy>();
  for (const one of inOrder(seen)) {
    newestByAgent.delete(one.agentNo); // so that the map's order is that of time
    newestByAgent.set(one.agentNo, { agentNo: one.agentNo, jail: one.jail, at: one.at });
  }
  return [...newestByAgent.values()].slice(-AGENTS_REMEMBERED);
}
