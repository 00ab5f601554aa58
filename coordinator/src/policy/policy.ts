/**
 * The settings by which the fleet decides, as one typed record. What each means to an operator, its bounds and its default
 * stand in judgement-table.ts.
 */
import { LIST_FLEET, type ListNo } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix";
import type { Source } from "@fleetban/proto/model/sighting";

/** What a sighting's weight depends on. */
export interface Told {
  readonly jail: string;
  readonly source: Source;
  readonly protocol: string;
}

/** When a network is listed because of what is listed in it. */
export interface Widening {
  /** So many distinct narrower ones: addresses for v4, networks for v6; 0 = never. */
  readonly members: number;
  /** Distinct agents that saw them. */
  readonly agents: number;
  /** Of the networks, narrowest first; each counts those of the length before. */
  readonly lengths: readonly number[];
}

export interface Policy {
  /** Number of the row in `policies`; 0 = the defaults below. */
  readonly policyNo: number;
  /** How long the first strike lists, the second, …; the last for all further ones. */
  readonly ladderSeconds: readonly number[];
  /** No sighting lists for less. */
  readonly minSeconds: number;
  /** No sighting lists for longer, whatever the local ban time. */
  readonly maxSeconds: number;
  /** A strike counts for the ladder until this long after its end. */
  readonly strikeMemorySeconds: number;
  /** With so many strikes the rank is that of a repeat offender. */
  readonly repeatStrikes: number;
  /** Distinct agents that must have sighted a prefix within the window. */
  readonly corroboration: number;
  readonly corroborationWindowSeconds: number;
  /** Whether standing in a feed counts as one more agent. */
  readonly feedsCorroborate: boolean;
  /** Sum of weights that lists; it halves in each half-life. */
  readonly threshold: number;
  readonly halfLifeSeconds: number;
  /** What one sighting weighs, where it is said of the jail; 0 = it is stored, and no evidence. */
  readonly jailWeights: Readonly<Record<string, number>>;
  readonly defaultWeight: number;
  /** Of jails that read text which an attacker can write. */
  readonly forgeableWeight: number;
  /** Their names; `*` stands for any text. */
  readonly forgeableJails: readonly string[];
  /** Factors. */
  readonly sourceWeights: Readonly<Record<Source, number>>;
  readonly udpWeight: number;
  /** Where not to `fleet`. */
  readonly jailLists: Readonly<Record<string, ListNo>>;
  readonly widening: Readonly<Record<Family, Widening>>;
  /** Sightings an agent may send: a bucket of that size, refilled at that rate. */
  readonly quota: { readonly burst: number; readonly perMinute: number };
  /** An agent's claim on an address that so many agents have sighted is held. */
  readonly widelySightedAgents: number;
  /** Sightings older than this are refused, and dropped. */
  readonly retentionSeconds: number;
  /** An open-ended listing that nobody tried for so long ends; 0 = never. */
  readonly pruneAfterSeconds: number;
}

/** Gives the policy in force now: whoever decides asks once and decides all of it by that one. */
export type PolicySource = () => Policy;

const SURE = 1;

/** What one sighting weighs when it is made. */
export function weightOf({ jail, source, protocol }: Told, policy: Policy): number {
  const byProtocol = protocol.toLowerCase() === "udp" ? policy.udpWeight : SURE;
  return jailWeight(jail, policy) * policy.sourceWeights[source] * byProtocol;
}

/** Of each policy that is asked: a fleet has few jails and many sightings. */
const jailWeightsKnown = new WeakMap<Policy, Map<string, number>>();
/** Agents name jails: a compromised one must not fill the memory with them. */
const JAILS_KNOWN_MAX = 1_000;

/** What is said of the jail by name, else by what it reads. */
export function jailWeight(jail: string, policy: Policy): number {
  const known = jailWeightsKnown.get(policy) ?? new Map<string, number>();
  const weight = known.get(jail);
  if (weight !== undefined) return weight;
  if (known.size === 0) jailWeightsKnown.set(policy, known);
  if (known.size >= JAILS_KNOWN_MAX) known.clear();
  const { jailWeights, forgeableWeight, defaultWeight } = policy;
  const byName = Object.hasOwn(jailWeights, jail) ? (jailWeights[jail] ?? 0) : undefined;
  const found = byName ?? (isForgeable(jail, policy) ? forgeableWeight : defaultWeight);
  known.set(jail, found);
  return found;
}

/** Whether it reads text that an attacker can write. */
export function isForgeable(jail: string, { forgeableJails }: Policy): boolean {
  return forgeableJails.some((pattern) => isLike(jail, pattern));
}

/** The list for what this jail bans. */
export function listOfJail(jail: string, { jailLists }: Policy): ListNo {
  return (Object.hasOwn(jailLists, jail) ? jailLists[jail] : undefined) ?? LIST_FLEET;
}

function isLike(jail: string, pattern: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return jail === pattern;
  const [before, behind] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return jail.length >= before.length + behind.length && jail.startsWith(before) && jail.endsWith(behind);
}
