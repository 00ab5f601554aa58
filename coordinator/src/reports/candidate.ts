/**
 * Judges what the fleet sighted of one address: whether it is reported, under which categories, with what comment, and how
 * much that report is worth. Pure.
 *
 * Only what the fleet itself detected: sightings of enrolled agents that counted and got the address listed. Never what rests
 * on a feed, never over UDP (whose source is whoever the sender says it is), never what is protected, allowed or pardoned.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { categoriesOf, isSecondHand } from "./categories.ts";
import { commentOf } from "./comment.ts";
import type { ReportPolicy } from "./report-table.ts";
import type { SightedBy } from "./sighted.ts";

export interface Candidate {
  readonly address: Prefix;
  readonly sighted: readonly SightedBy[];
  /** Not voided. */
  readonly strikes: number;
  /** Some feed names it: the world knows it. */
  readonly inFeed: boolean;
  /** Why it may never be reported, whatever was sighted. */
  readonly keptOff: "allowed" | "pardoned" | "own-address" | "network-reported" | undefined;
}

export type LeftOut =
  | "special-purpose"
  | "own-address"
  | "allowed"
  | "pardoned"
  /** IPv6: another address of its /64 was reported, or is worth more. */
  | "network-reported"
  | "not-listed"
  | "udp"
  | "unmapped-jail"
  | "never-reported"
  | "too-few-agents";

export interface WorthReporting {
  readonly kind: "report";
  readonly address: Prefix;
  readonly categories: readonly number[];
  readonly comment: string;
  readonly sightedAtMs: number;
  readonly agents: number;
  /** The higher the sooner. */
  readonly worth: number;
}

export type Judged =
  | WorthReporting
  | { readonly kind: "left-out"; readonly address: Prefix; readonly why: LeftOut; readonly jails: readonly string[] };

/** AbuseIPDB takes no more. */
const CATEGORIES_MAX = 30;

export function judge(candidate: Candidate, policy: ReportPolicy, words: readonly string[]): Judged {
  const { address, sighted } = candidate;
  const leftOut = (why: LeftOut, jails: readonly string[] = []): Judged => ({ kind: "left-out", address, why, jails });
  if (specialPurposeOf(address) !== undefined) return leftOut("special-purpose");
  if (candidate.keptOff !== undefined) return leftOut(candidate.keptOff);
  if (candidate.strikes === 0 || sighted.length === 0) return leftOut("not-listed");
  const overTcp = sighted.filter(({ protocol }) => !/^udp/i.test(protocol));
  if (overTcp.length === 0) return leftOut("udp", jailsOf(sighted));
  const firstHand = overTcp.filter(({ jail }) => !isSecondHand(jail));
  const mapped = firstHand.filter(({ jail }) => (categoriesOf(jail, policy.jails)?.length ?? 0) > 0);
  if (mapped.length === 0) return leftOut(whyUnmapped(firstHand, policy), jailsOf(overTcp));
  const agents = new Set(mapped.map(({ agentNo }) => agentNo)).size;
  if (agents < policy.agents) return leftOut("too-few-agents");
  const all = mapped.flatMap(({ jail }) => categoriesOf(jail, policy.jails) ?? []);
  const categories = [...new Set(all)].sort((a, b) => a - b).slice(0, CATEGORIES_MAX);
  return {
    kind: "report",
    address,
    categories,
    comment: commentOf({ address, categories, sighted: mapped, agents }, { evidence: policy.evidence, words }),
    sightedAtMs: Math.max(...overTcp.map(({ lastAtMs }) => lastAtMs)),
    agents,
    worth: worthOf(candidate, mapped, agents),
  };
}

/**
 * What the world does not know yet is worth most, then what many servers saw, then who comes again and again. Failures are
 * the least of it: a single server can make them up.
 */
function worthOf({ strikes, inFeed }: Candidate, mapped: readonly SightedBy[], agents: number): number {
  const failures = mapped.reduce((sum, one) => sum + one.failures, 0);
  return (inFeed ? 0 : 25) + 10 * Math.min(agents, 20) + 5 * Math.min(strikes, 10) + Math.min(failures, 100) / 20;
}

/** One that nobody has mapped is worth a word; one that is never reported was meant so. */
function whyUnmapped(sighted: readonly SightedBy[], policy: ReportPolicy): LeftOut {
  const isUnmapped = sighted.some(({ jail }) => categoriesOf(jail, policy.jails) === undefined);
  return isUnmapped || sighted.length === 0 ? "unmapped-jail" : "never-reported";
}

function jailsOf(sighted: readonly SightedBy[]): readonly string[] {
  return [...new Set(sighted.map(({ jail }) => jail))];
}
