/**
 * What speaks for and against a prefix on one list, piece by piece, by the same `decide` that listed it: each piece is
 * left out once, and what the list would say then is told beside it (invariant 9). Pure.
 *
 * What stands was decided commit by commit; what sightings are worth is asked of those that are stored, decided anew in
 * the order in which they came. Where the two differ, the policy has changed since, and that is told as well.
 */
import { formatDuration } from "@fleetban/kit/duration";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { ExplainedEvidence } from "@fleetban/proto/wire/admin";
import { type ReceivedSighting, type ReplayWindow, replayOffender } from "../policies/replay-offender.ts";
import { decide, evidenceFrom, keptOff, type Verdict } from "../policy/decide.ts";
import type { Evidence, Exemption, Offender } from "../policy/evidence.ts";
import type { Policy } from "../policy/policy.ts";
import { weightText } from "../policy/weight-lines.ts";
import {
  exemptionText,
  feedText,
  groupText,
  insideText,
  type Names,
  nextStrikeText,
  type SightingGroup,
  strikeText,
  sumText,
  verdictText,
} from "./evidence-text.ts";
import { olderText, rememberOlder } from "./older-evidence.ts";
import type { OlderSightings } from "./stored-evidence.ts";

export interface ToExplain {
  readonly list: string;
  /** As it stands. */
  readonly known: Evidence;
  /** Of the strikes those that these sightings made. */
  readonly madeBySightings: ReadonlySet<number>;
  /** Oldest first. */
  readonly sightings: readonly ReceivedSighting[];
  /** Before those, and after what a pardon or a void has done with. */
  readonly older: readonly OlderSightings[];
  readonly window: ReplayWindow;
  /** What lists it beside what is known here: feeds, and listings around it. */
  readonly alsoListed: readonly string[];
}

/** More are told together: each costs a replay of all the others. */
const GROUPS_MAX = 10;

export function explainEvidence(asked: ToExplain, policy: Policy, now: UnixSeconds, names: Names): ExplainedEvidence[] {
  const { known } = asked;
  const stands = decide(known, policy, now);
  const without = (changed: Partial<Evidence>) => difference(stands, decide({ ...known, ...changed }, policy, now));
  const line = (kind: string, text: string, given: Partial<ExplainedEvidence> = {}): ExplainedEvidence => {
    return { list: asked.list, kind, text, counts: true, without: "", policy: [], ...given };
  };
  return [...against(), ...sightings(), ...strikes(), ...others()];

  function against(): ExplainedEvidence[] {
    const kept = keptOff(known, now);
    const lines = known.exemptions
      .filter(({ until }) => !isExpired(until, now))
      .map((one) =>
        line(one.kind, exemptionText(one, names), {
          without: ended(one),
        }),
      );
    if (kept === undefined || kept.because === "allowed" || kept.because === "pardoned") return lines;
    return [
      line(kept.because, `it is ${kept.because === "own-address" ? "an address of the fleet's own" : `in ${kept.by}`}`),
      ...lines,
    ];
  }

  /** Ended now, not never been: what was seen before its end does not count. */
  function ended(exemption: Exemption): string {
    const exemptions = known.exemptions.map((one) => (one === exemption ? { ...one, until: now } : one));
    const changed = { ...known, exemptions };
    const verdict = decide(changed, policy, now);
    const isOnlyElsewhere = verdict.kind !== "listed" && keptOff(changed, now) === undefined;
    if (isOnlyElsewhere && asked.alsoListed.length > 0) return `listed ${asked.alsoListed.join("; ")}`;
    return difference(stands, verdict);
  }

  function sightings(): ExplainedEvidence[] {
    const from = evidenceFrom(known);
    const whole = replayed(asked, asked.sightings, policy, now);
    const groups = grouped(asked.sightings);
    const lines = groups.slice(0, GROUPS_MAX).map((group) => {
      const rest = asked.sightings.filter((one) => !group.sightings.includes(one));
      const isOver = group.sightings.every(({ at }) => at <= from);
      const weight = weightText(group, policy);
      return line("sightings", groupText(group, names, policy, now), {
        counts: !isOver && whole.kind !== undefined,
        without: isOver ? "" : difference(whole, replayed(asked, rest, policy, now)),
        policy: [weight, `weights.half_life ${formatDuration(policy.halfLifeSeconds)}`],
      });
    });
    const more = groups.length - lines.length;
    if (more > 0) lines.push(line("sightings", `and ${more} more by other agents or jails`));
    const before = olderText(asked.older, policy, now);
    if (before !== undefined) {
      const without = difference(whole, replayed({ ...asked, older: [] }, asked.sightings, policy, now));
      lines.push(line("sightings", before, { counts: rememberedOf(asked, policy) !== undefined, without }));
    }
    const sum = sumText(known, policy, now);
    const isSeenSince = (known.offender?.lastAt ?? 0) > from;
    if (sum !== undefined)
      lines.push(line("sum", sum.text, { counts: sum.isEnough && isSeenSince, policy: sum.policy }));
    if (asked.sightings.length + asked.older.length > 0 && whole.kind !== stands.kind) {
      lines.push(line("replay", `decided anew by the policy in force, these sightings say: ${verdictText(whole)}`));
    }
    return lines;
  }

  function strikes(): ExplainedEvidence[] {
    const from = evidenceFrom(known);
    const lines = known.strikes.map((strike) =>
      line("strike", strikeText(strike, now), {
        counts: strike.struckAt > from,
        without: without({ strikes: known.strikes.filter((other) => other !== strike) }),
        policy: [`strikes.forget_after ${formatDuration(policy.strikeMemorySeconds)}`],
      }),
    );
    const next = nextStrikeText(
      known.strikes.filter(({ struckAt }) => struckAt > from),
      policy,
      now,
    );
    return known.strikes.length === 0 ? lines : [...lines, line("next", next.text, { policy: next.policy })];
  }

  function others(): ExplainedEvidence[] {
    const bans = known.bans.map((ban) =>
      line("ban", `ban ${ban.banNo} by an operator`, {
        counts: !isExpired(ban.until, now),
        without: without({ bans: known.bans.filter((other) => other !== ban) }),
      }),
    );
    const feeds = known.feeds.map((feed) =>
      line("feed", feedText(feed, names, policy), {
        counts: policy.feedsCorroborate,
        policy: [`corroboration.feeds ${policy.feedsCorroborate}`],
      }),
    );
    const inside = insideText(known, policy, now);
    if (inside === undefined) return [...bans, ...feeds];
    const counts = stands.kind === "listed" && stands.reasons.some(({ kind }) => kind === "widened");
    const given = { counts, without: without({ inside: [] }), policy: inside.policy };
    return [...bans, ...feeds, line("widened", inside.text, given)];
  }
}

/** What the stored sightings make of it, with what was struck before them. */
function replayed(asked: ToExplain, sightings: readonly ReceivedSighting[], policy: Policy, now: UnixSeconds): Verdict {
  const { known, madeBySightings } = asked;
  const window = { ...asked.window, remembered: rememberedOf(asked, policy) };
  const earlier = known.strikes.filter(({ strikeNo }) => !madeBySightings.has(strikeNo));
  const { strikes, extended, offender } = replayOffender({ ...known, strikes: earlier }, sightings, policy, window);
  const extendedByNo = new Map(extended.map((strike) => [strike.strikeNo, strike]));
  const all = [...earlier.map((strike) => extendedByNo.get(strike.strikeNo) ?? strike), ...strikes];
  return decide({ ...known, offender, strikes: all }, policy, now);
}

function rememberedOf({ known, older }: ToExplain, policy: Policy): Offender | undefined {
  return rememberOlder(older, known.offender?.evidenceFrom ?? unixSeconds(0), policy);
}

/** Empty = the same. */
function difference(before: Verdict, after: Verdict): string {
  const [was, is] = [verdictText(before), verdictText(after)];
  return was === is ? "" : is;
}

/** By who saw it and how it was told; those with the newest first. */
function grouped(sightings: readonly ReceivedSighting[]): SightingGroup[] {
  const groups = Map.groupBy(sightings, ({ agentNo, jail, source, protocol }) => {
    return [agentNo, jail, source, protocol].join("\n");
  });
  return [...groups.values()]
    .flatMap((some) => {
      const [first] = some;
      return first === undefined ? [] : [{ ...first, sightings: some }];
    })
    .sort((a, b) => newest(b) - newest(a));
}

function newest({ sightings }: SightingGroup): number {
  return Math.max(...sightings.map(({ at }) => at));
}
