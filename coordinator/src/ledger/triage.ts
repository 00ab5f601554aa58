/**
 * What becomes of each sighting of a commit, and under which prefix it is counted. Pure.
 *
 * Acknowledged means durable, not believed: everything gets an outcome, only `counted` is evidence (PROTOCOL, rules 9
 * and 11).
 */
import { familyOf, isSingle, type Prefix, widen } from "@fleetban/proto/model/prefix";
import { neighbouringActs, type Sighting } from "@fleetban/proto/model/sighting";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { type Policy, weightOf } from "../policy/policy.ts";
import type { Outcome } from "./sighting-codes.ts";

/** A sighting that is new to its spool. */
export interface NewSighting {
  readonly sighting: Sighting;
  readonly spoolNo: number;
  readonly seq: number;
  readonly agentNo: number;
  readonly receivedAtMs: number;
  readonly sightedAtMs: number;
  readonly isTooOld: boolean;
  readonly isOverQuota: boolean;
}

/** What the database says of a commit's addresses. */
export interface Facts {
  readonly allowed: ReadonlySet<Prefix>;
  readonly pardoned: ReadonlySet<Prefix>;
  readonly own: ReadonlySet<Prefix>;
  /** IPv6 networks with something exempt or an agent's address in them. */
  readonly mixedNetworks: ReadonlySet<Prefix>;
  /** `actKey` of what has been counted. */
  readonly counted: ReadonlySet<string>;
}

export interface Triaged extends NewSighting {
  readonly outcome: Outcome;
  readonly offender: Prefix;
}

const V6_NETWORK_LENGTH = 64;

export function triage(sightings: readonly NewSighting[], facts: Facts, policy: Policy, isHeld: boolean): Triaged[] {
  const counted = new Set(facts.counted);
  return sightings.map((one) => {
    const outcome = outcomeOf(one, facts, policy, counted, isHeld);
    if (outcome === "counted" || outcome === "held") counted.add(actKey(one.agentNo, one.sighting.act));
    return { ...one, outcome, offender: offenderOf(one.sighting.address, facts.mixedNetworks) };
  });
}

/** The network of 64 bits around an IPv6 address, unless there is something in it that must not be listed. */
function offenderOf(address: Prefix, mixedNetworks: ReadonlySet<Prefix>): Prefix {
  const network = networkOf(address);
  return mixedNetworks.has(network) ? address : network;
}

/** All prefixes that it may come to be counted under. */
export function offendersOf({ address }: Pick<Sighting, "address">): readonly Prefix[] {
  const network = networkOf(address);
  return network === address ? [address] : [network, address];
}

export function networkOf(address: Prefix): Prefix {
  if (familyOf(address) === 4 || !isSingle(address)) return address;
  return widen(address, V6_NETWORK_LENGTH);
}

/** Whether it can be evidence at all, before the database is asked. */
export function isCandidate({ sighting }: Pick<NewSighting, "sighting">): boolean {
  return isSingle(sighting.address) && specialPurposeOf(sighting.address) === undefined;
}

/** An act is told apart by agent: two servers that are attacked are two pieces of evidence. */
export function actKey(agentNo: number, act: string): string {
  return `${agentNo} ${act}`;
}

/** The acts that name the same ban, its own first. */
export function sameActs(sighting: Sighting): readonly string[] {
  return [sighting.act, ...neighbouringActs(sighting)];
}

function outcomeOf(
  one: NewSighting,
  facts: Facts,
  policy: Policy,
  counted: ReadonlySet<string>,
  isHeld: boolean,
): Outcome {
  const { sighting, agentNo } = one;
  if (one.isOverQuota) return "over-quota"; // before all else: whatever is stored of it is counted as beyond the quota
  if (!isSingle(sighting.address)) return "too-wide";
  if (specialPurposeOf(sighting.address) !== undefined) return "special-purpose";
  if (one.isTooOld) return "too-old";
  if (facts.own.has(sighting.address)) return "own-address";
  if (facts.allowed.has(sighting.address)) return "allowed";
  if (facts.pardoned.has(sighting.address)) return "pardoned";
  if (sighting.kind !== "ban") return "no-strike";
  if (sameActs(sighting).some((act) => counted.has(actKey(agentNo, act)))) return "repeated";
  if (weightOf(sighting, policy) <= 0) return "weightless";
  return isHeld ? "held" : "counted";
}
