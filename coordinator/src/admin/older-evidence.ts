/** What sightings that are only known by their sum left `decide` with. Pure. */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { Offender, SeenBy } from "../policy/evidence.ts";
import { AGENTS_REMEMBERED, faded } from "../policy/offender.ts";
import { type Policy, weightOf } from "../policy/policy.ts";
import type { OlderSightings } from "./stored-evidence.ts";

/** Undefined = nothing, by this policy. */
export function rememberOlder(
  older: readonly OlderSightings[],
  evidenceFrom: UnixSeconds,
  policy: Policy,
): Offender | undefined {
  const counting = older.filter((one) => weightOf(one, policy) > 0);
  if (counting.length === 0) return undefined;
  const lastAt = unixSeconds(Math.max(...counting.map((one) => one.lastAt)));
  return {
    firstAt: unixSeconds(Math.min(...counting.map((one) => one.firstAt))),
    lastAt,
    sightings: counting.reduce((sum, one) => sum + one.sightings, 0),
    score: scoreOf(counting, lastAt, policy),
    recent: newestOfEach(counting),
    evidenceFrom,
  };
}

/** Undefined = there are none. */
export function olderText(older: readonly OlderSightings[], policy: Policy, now: UnixSeconds): string | undefined {
  if (older.length === 0) return undefined;
  const count = older.reduce((sum, one) => sum + one.sightings, 0);
  const agents = new Set(older.map(({ agentNo }) => agentNo)).size;
  const score = Math.round(scoreOf(older, now, policy) * 100) / 100;
  const [bans, by] = [
    count === 1 ? "1 older ban" : `${count} older bans`,
    agents === 1 ? "1 agent" : `${agents} agents`,
  ];
  return `and ${bans} by ${by}; weigh ${score} now`;
}

function scoreOf(older: readonly OlderSightings[], at: UnixSeconds, policy: Policy): number {
  return older.reduce((sum, one) => sum + faded(one.freshWorth * weightOf(one, policy), at - one.lastAt, policy), 0);
}

/** In the order of time, as they are remembered. */
function newestOfEach(older: readonly OlderSightings[]): readonly SeenBy[] {
  const newest = new Map<number, SeenBy>();
  for (const { agentNo, jail, lastAt: at } of older) {
    const known = newest.get(agentNo);
    if (known === undefined || known.at < at) newest.set(agentNo, { agentNo, jail, at });
  }
  return [...newest.values()].sort((one, other) => one.at - other.at).slice(-AGENTS_REMEMBERED);
}
