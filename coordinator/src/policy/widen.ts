/**
 * When a network is listed because of what is listed in it: enough distinct narrower ones, seen by enough agents.
 *
 * It lasts for as long as enough of them do: the listing has no strike of its own, so it ends with what it rests on, and
 * one more inside never makes it shorter. Nothing is widened over what is exempt or the fleet's own: whoever is let
 * through by name is likely to have his neighbors there.
 */
import { familyOf, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired, laterUntil } from "@fleetban/proto/model/until";
import type { Evidence, InsideStrike } from "./evidence.ts";
import type { Policy } from "./policy.ts";

export interface Widened {
  readonly until: UnixSeconds;
  /** Distinct narrower ones that are in force. */
  readonly members: number;
}

/** How much speaks for a network, whether or not it is enough. */
export interface InsideStanding {
  readonly members: number;
  readonly agents: number;
}

const MEMBER_LENGTH = { 4: 32, 6: 64 } as const;

export function widened(
  { prefix, inside, shelters }: Pick<Evidence, "prefix" | "inside" | "shelters">,
  policy: Pick<Policy, "widening">,
  now: UnixSeconds,
): Widened | undefined {
  if (inside.length === 0 || shelters !== undefined) return undefined;
  const ends = endsInside({ prefix, inside }, policy, now);
  if (ends === undefined) return undefined;
  const { members, agents } = policy.widening[familyOf(prefix)];
  const [byMembers, byAgents] = [nthLatest(ends.byMember, members), nthLatest(ends.byAgent, agents)];
  if (byMembers === undefined || byAgents === undefined) return undefined;
  return { until: earlierUntil(byMembers, byAgents), members: ends.byMember.size };
}

/** Undefined = the policy does not widen to such a network. */
export function standingInside(
  evidence: Pick<Evidence, "prefix" | "inside">,
  policy: Pick<Policy, "widening">,
  now: UnixSeconds,
): InsideStanding | undefined {
  const ends = endsInside(evidence, policy, now);
  return ends === undefined ? undefined : { members: ends.byMember.size, agents: ends.byAgent.size };
}

function endsInside(
  { prefix, inside }: Pick<Evidence, "prefix" | "inside">,
  policy: Pick<Policy, "widening">,
  now: UnixSeconds,
) {
  const length = memberLength(prefix, policy);
  if (length === undefined) return undefined;
  const inForce = inside.filter(({ until }) => !isExpired(until, now));
  return {
    byMember: latestBy(inForce, (strike) => [memberOf(strike, length)]),
    byAgent: latestBy(inForce, (strike) => strike.agents),
  };
}

/** The networks around a prefix that may be listed because of it, narrowest first. */
export function widerThan(prefix: Prefix, { widening }: Pick<Policy, "widening">): Prefix[] {
  const { members, lengths } = widening[familyOf(prefix)];
  if (members === 0) return [];
  return lengths.filter((length) => length < lengthOf(prefix)).map((length) => widen(prefix, length));
}

/** Of what counts as one inside this network; undefined = the policy does not widen to it. */
function memberLength(prefix: Prefix, { widening }: Pick<Policy, "widening">): number | undefined {
  const family = familyOf(prefix);
  const { members, lengths } = widening[family];
  const at = lengths.indexOf(lengthOf(prefix));
  if (members === 0 || at < 0) return undefined;
  return at === 0 ? MEMBER_LENGTH[family] : lengths[at - 1];
}

/** What is narrower still, a lone address of a network that must not be listed as a whole, is counted as its network. */
function memberOf({ prefix }: InsideStrike, length: number): Prefix {
  return lengthOf(prefix) > length ? widen(prefix, length) : prefix;
}

function latestBy<Key>(strikes: readonly InsideStrike[], keysOf: (strike: InsideStrike) => readonly Key[]) {
  const latest = new Map<Key, UnixSeconds>();
  for (const strike of strikes) {
    for (const key of keysOf(strike)) {
      const known = latest.get(key);
      latest.set(key, known === undefined ? strike.until : laterUntil(known, strike.until));
    }
  }
  return latest;
}

/** Until when there are so many. */
function nthLatest(untils: ReadonlyMap<unknown, UnixSeconds>, wanted: number): UnixSeconds | undefined {
  const sorted = [...untils.values()].sort((a, b) => (a === b ? 0 : laterUntil(a, b) === a ? -1 : 1));
  return sorted[Math.max(1, wanted) - 1];
}

function earlierUntil(a: UnixSeconds, b: UnixSeconds): UnixSeconds {
  return laterUntil(a, b) === a ? b : a;
}
