/** Pieces of evidence and what follows from them, in sentences. */
import { formatDuration } from "@fleetban/kit/duration";
import { familyOf } from "@fleetban/proto/model/prefix";
import { msFromSeconds, type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired, isOpenEnded } from "@fleetban/proto/model/until";
import type { ReceivedSighting } from "../policies/replay-offender.ts";
import { shortcomingsOf, type Verdict } from "../policy/decide.ts";
import type { Evidence, Exemption, FeedMention, Strike } from "../policy/evidence.ts";
import { faded, scoreAt } from "../policy/offender.ts";
import { type Policy, type Told, weightOf } from "../policy/policy.ts";
import { ladderSeconds } from "../policy/strike-change.ts";
import { standingInside } from "../policy/widen.ts";

export interface Names {
  agent(agentNo: number): string;
  feed(feedNo: number): string;
  /** Undefined = the row of the allowlist is an operator's own. */
  pack(allowlistNo: number): string | undefined;
}

/** Sightings by one agent that were told alike. */
export interface SightingGroup extends Told {
  readonly agentNo: number;
  readonly sightings: readonly ReceivedSighting[];
}

export function groupText(group: SightingGroup, names: Names, policy: Policy, now: UnixSeconds): string {
  const { agentNo, jail, source, protocol, sightings } = group;
  const bans = sightings.filter(({ kind }) => kind === "ban");
  const sum = bans.reduce((total, one) => total + faded(weightOf(one, policy), now - one.at, policy), 0);
  const count = bans.length === 1 ? "1 ban" : `${bans.length} bans`;
  const by = `${names.agent(agentNo)}: ${count} by ${jail || "(no jail)"} (${source}${protocol === "" ? "" : `, ${protocol}`})`;
  const newest = unixSeconds(Math.max(...sightings.map(({ at }) => at)));
  return `${by}, the last ${utc(newest)}; weigh ${weight(sum)} now`;
}

/** Undefined = nothing was sighted. */
export function sumText({ feeds, offender }: Evidence, policy: Policy, now: UnixSeconds) {
  if (offender === undefined) return undefined;
  const lacking = shortcomingsOf({ feeds }, offender, policy, now);
  const since = now - policy.corroborationWindowSeconds;
  const agents = offender.recent.filter(({ at }) => at >= since).length;
  const parts = [
    `weight ${weight(offender.score)} at the last sighting, ${weight(scoreAt(offender, now, policy))} now, of ${policy.threshold} needed`,
    `${agents} of ${policy.corroboration} ${policy.corroboration === 1 ? "agent" : "agents"} within ${formatDuration(policy.corroborationWindowSeconds)}`,
  ];
  const rests = [
    `weights.threshold ${policy.threshold}`,
    `corroboration.agents ${policy.corroboration}`,
    `corroboration.within ${formatDuration(policy.corroborationWindowSeconds)}`,
  ];
  return { text: parts.join("; "), isEnough: lacking.length === 0, policy: rests };
}

export function strikeText({ strikeNo, struckAt, until, rungSeconds }: Strike, now: UnixSeconds): string {
  const state = isExpired(until, now) ? `over since ${utc(until)}` : `lists until ${utc(until)}`;
  return `strike ${strikeNo} of ${utc(struckAt)}, a rung of ${formatDuration(rungSeconds)}: ${state}`;
}

export function nextStrikeText(strikes: readonly Strike[], policy: Policy, now: UnixSeconds) {
  const seconds = ladderSeconds(strikes, now, policy);
  const newest = strikes.reduce((last, { until }) => Math.max(last, until), 0);
  const forgotten = utc(unixSeconds(newest + policy.strikeMemorySeconds));
  const memory = strikes.length === 0 ? "" : `; strikes are forgotten at ${forgotten} if there is no other`;
  return {
    text: `the next strike would list for ${formatDuration(seconds)}${memory}`,
    policy: [
      `strikes.ladder ${policy.ladderSeconds.map((rung) => formatDuration(rung)).join(", ")}`,
      `strikes.forget_after ${formatDuration(policy.strikeMemorySeconds)}`,
    ],
  };
}

export function exemptionText({ kind, number, prefix, until }: Exemption, names: Names): string {
  const pack = kind === "allowed" ? names.pack(number) : undefined;
  if (pack !== undefined) return `never-ban pack ${pack}: ${prefix} until the policy no longer chooses it`;
  const end = isOpenEnded(until) ? "until an operator ends it" : `until ${utc(until)}`;
  return kind === "allowed" ? `allowlist ${number}: ${prefix} ${end}` : `pardon ${number} of ${prefix} ${end}`;
}

export function feedText({ feedNo, confidence }: FeedMention, names: Names, policy: Policy): string {
  const witness = policy.feedsCorroborate ? "a witness more" : "no witness";
  return `feed ${names.feed(feedNo)} names it, confidence ${confidence}: ${witness}`;
}

/** Undefined = nothing in it speaks for it. */
export function insideText(known: Evidence, policy: Policy, now: UnixSeconds) {
  const standing = standingInside(known, policy, now);
  if (standing === undefined || standing.members === 0) return undefined;
  const family = familyOf(known.prefix);
  const { members, agents } = policy.widening[family];
  const [section, what] = family === 6 ? ["ipv6", "networks"] : ["ipv4", "addresses"];
  const sheltered = known.shelters === undefined ? "" : `; not widened over ${known.shelters}, which is let through`;
  return {
    text: `${standing.members} of ${members} ${what} in it are listed, seen by ${standing.agents} of ${agents} agents${sheltered}`,
    policy: [`${section}.${what} ${members}`, `${section}.agents ${agents}`],
  };
}

export function verdictText(verdict: Verdict): string {
  if (verdict.kind === "listed") {
    const end = isOpenEnded(verdict.until) ? "until an operator ends it" : `until ${utc(verdict.until)}`;
    return `listed ${end}, rank ${verdict.rank}`;
  }
  const because = { "too-little-evidence": "too little evidence", "nothing-in-force": "nothing in force" };
  const reason = verdict.because in because ? because[verdict.because as keyof typeof because] : verdict.because;
  return `not listed: ${reason}${verdict.by === undefined ? "" : ` (${verdict.by})`}`;
}

function weight(value: number): string {
  return String(Number(value.toFixed(2)));
}

function utc(at: UnixSeconds): string {
  return `${new Date(msFromSeconds(at)).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
