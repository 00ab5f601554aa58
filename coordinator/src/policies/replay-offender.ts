/**
 * What a policy would have made of one prefix' sightings, one commit after the other, by the same `decide` that lists.
 *
 * Given is what was there before the window (strikes that no sighting of the window made) and what operators said; what
 * the window's sightings made of it is worked out anew. A sighting is judged as of the moment in which it was received,
 * and an exemption counts from the moment in which it began. Pure: plan, apply, rollback and the replay of a day all rest on
 * it, so that none of them can differ.
 */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { decide } from "../policy/decide.ts";
import type { Evidence, Exemption, FreshSighting, Offender, Strike } from "../policy/evidence.ts";
import { type Policy, weightOf } from "../policy/policy.ts";

export interface ReceivedSighting extends FreshSighting {
  readonly receivedAt: UnixSeconds;
  /** The same with its fraction: equal = of one message, and decided together. */
  readonly receivedExactly: number;
}

export interface ReplayedStrike extends Strike {
  /** When the sighting that struck was received. */
  readonly madeAt: UnixSeconds;
  readonly agents: readonly number[];
  /** Those of the commit that struck. */
  readonly sightings: readonly FreshSighting[];
}

export interface Replayed {
  /** In the order in which they struck; their numbers are below 0, and stand for none. */
  readonly strikes: readonly ReplayedStrike[];
  /** Strikes from before the window that its sightings extend. */
  readonly extended: readonly Strike[];
  readonly offender: Offender | undefined;
}

export interface ReplayWindow {
  /** Sightings received before it are remembered, and strike no more: what they struck is there. */
  readonly from: UnixSeconds;
  /** When a pardon or a row of the allowlist began, with the fraction of its second. */
  readonly begunAt: (exemption: Exemption) => number;
  /** What sightings before these came to, where they are not among them; absent = there were none. */
  readonly remembered?: Offender | undefined;
}

/** `known`: without what the window's sightings made; the sightings in the order in which they were received. */
export function replayOffender(
  known: Evidence,
  sightings: readonly ReceivedSighting[],
  policy: Policy,
  window: ReplayWindow,
): Replayed {
  const before = new Map(known.strikes.map((strike) => [strike.strikeNo, strike]));
  const strikes = new Map(before);
  const made: ReplayedStrike[] = [];
  let offender = window.remembered ?? forgotten(known.offender);
  for (const { at, exactly, fresh } of commitsOf(sightings, policy)) {
    const exemptions = known.exemptions.filter((exemption) => window.begunAt(exemption) <= exactly);
    const evidence = { ...known, fresh, offender, strikes: [...strikes.values()], exemptions };
    const verdict = decide(evidence, policy, at);
    offender = verdict.offender;
    if (verdict.kind !== "listed" || verdict.strike === undefined || at < window.from) continue;
    const { strike } = verdict;
    if (strike.kind === "extended") {
      const extended = strikes.get(strike.strikeNo);
      if (extended !== undefined) strikes.set(strike.strikeNo, { ...extended, until: strike.until });
      continue;
    }
    const { struckAt, until, rungSeconds } = strike;
    const agents = [...new Set(fresh.map(({ agentNo }) => agentNo))];
    const strikeNo = -1 - made.length;
    made.push({ strikeNo, struckAt, until, rungSeconds, madeAt: at, agents, sightings: fresh });
    strikes.set(strikeNo, { strikeNo, struckAt, until, rungSeconds });
  }
  return {
    strikes: made.map((strike) => ({ ...strike, until: strikes.get(strike.strikeNo)?.until ?? strike.until })),
    extended: [...before.values()].flatMap((strike) => {
      const now = strikes.get(strike.strikeNo);
      return now === undefined || now.until === strike.until ? [] : [now];
    }),
    offender: withTotals(offender, known.offender),
  };
}

/** What was received together was decided together; what the policy gives no weight is no evidence. */
function* commitsOf(sightings: readonly ReceivedSighting[], policy: Policy) {
  for (let first = 0; first < sightings.length; ) {
    const { receivedAt: at = unixSeconds(0), receivedExactly: exactly = 0 } = sightings[first] ?? {};
    let end = first;
    while (end < sightings.length && sightings[end]?.receivedExactly === exactly) end += 1;
    const fresh = sightings.slice(first, end).filter((one) => one.kind === "prolong" || weightOf(one, policy) > 0);
    if (fresh.length > 0) yield { at, exactly, fresh };
    first = end;
  }
}

/** Nothing but what was voided: the sightings tell the rest. */
function forgotten(offender: Offender | undefined): Offender | undefined {
  if (offender === undefined || offender.evidenceFrom === 0) return undefined;
  return { ...offender, lastAt: unixSeconds(0), sightings: 0, score: 0, recent: [] };
}

/** How often it was ever sighted is longer than the window. */
function withTotals(offender: Offender | undefined, stored: Offender | undefined): Offender | undefined {
  if (offender === undefined || stored === undefined) return offender;
  const firstAt = unixSeconds(Math.min(offender.firstAt, stored.firstAt));
  return { ...offender, firstAt, sightings: Math.max(offender.sightings, stored.sightings) };
}
