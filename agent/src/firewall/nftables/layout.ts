/**
 * The rules over the bundles, as chains. Pure.
 *
 * A packet of a source that nobody lists passes the base chain and the lookups of each deny bundle, nothing more. One that
 * is found goes to `NAME/listed`, past what is excepted (which accepts it, for all rules: they have the same exceptions),
 * to the verdict. Changing what a bundle consists of is a matter of its own chains only.
 *
 * Answers return because conntrack says that they are answers, and conntrack forgets: a listed peer ends the entry of an
 * established connection by a reset that our socket never sees, and our next retransmission, picked up in the middle, makes
 * us the one who opened it. So TCP from the middle towards a listed address is dropped before conntrack believes it, whether
 * this machine sends it or an inner host.
 */
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetName } from "../backend.ts";
import { type EntryHook, isEnforceable } from "../ipset/rule-text.ts";
import {
  BASE_CHAIN,
  cutChain,
  destinationChain,
  kernelSetName,
  listedChain,
  OUT_CHAIN,
  THROUGH_CHAIN,
} from "./names.ts";
import { ADDRESS_BITS, type Rule, type Side, type Statement } from "./statement.ts";

/** In the places of iptables' mangle and raw: behind conntrack (-200), or before it. */
const PRIORITY: Readonly<Record<EntryHook, number>> = { conntrack: -150, raw: -300 };

export interface HookPlace {
  readonly hook: "prerouting" | "forward" | "output";
  readonly priority: number;
}

/** The chains that packets meet by themselves. */
export function basePlaces(hook: EntryHook): ReadonlyMap<string, HookPlace> {
  return new Map([
    [BASE_CHAIN, { hook: "prerouting", priority: PRIORITY[hook] }],
    [THROUGH_CHAIN, { hook: "forward", priority: PRIORITY.conntrack }],
    [OUT_CHAIN, { hook: "output", priority: PRIORITY.conntrack }],
  ]);
}

/** Which kernel sets a bundle consists of now. */
export interface BundleSets {
  readonly name: SetName;
  readonly family: Family;
  readonly stem: string;
  /** Without that of single addresses. */
  readonly lengths: readonly number[];
}

const RETURN: Statement = { kind: "verdict", verdict: "return" };
const TCP: Statement = { kind: "protocol", protocol: "tcp" };
const DROP: Statement = { kind: "verdict", verdict: "drop" };
const ACCEPT: Statement = { kind: "verdict", verdict: "accept" };
const COUNT: Statement = { kind: "count" };
const NEIGHBOR_SOLICITATION = 135;
const NEIGHBOR_ADVERTISEMENT = 136;

/** Loopback, answers and neighbor discovery are never looked at; the reasons are those of ipset's rules. */
const ALWAYS: Readonly<Record<EntryHook, readonly Rule[]>> = {
  conntrack: [
    [{ kind: "loopback", side: "in" }, RETURN],
    [{ kind: "reply" }, RETURN],
  ],
  raw: [[{ kind: "loopback", side: "in" }, RETURN]],
};
const OF_FAMILY: Readonly<Record<Family, readonly Rule[]>> = {
  4: [],
  6: [
    [{ kind: "icmpv6", type: NEIGHBOR_SOLICITATION }, RETURN],
    [{ kind: "icmpv6", type: NEIGHBOR_ADVERTISEMENT }, RETURN],
  ],
};

/** The base chains, and what becomes of what is found in each bundle that a rule names. */
export function ruleChains(rules: readonly DenyRule[], family: Family, hook: EntryHook): Map<string, readonly Rule[]> {
  const enforced = rules.filter(({ reach }) => isEnforceable(reach));
  checkAlike(enforced, family);
  const chains = new Map<string, readonly Rule[]>();
  for (const { deny, except, verdict } of enforced) {
    const passes = (lookup: (name: SetName) => string) =>
      except.map((pair): Rule => [{ kind: "jump", chain: lookup(pair[family]) }]);
    chains.set(listedChain(deny[family]), [...passes((name) => name), ...verdictRules(verdict, family)]);
    chains.set(cutChain(deny[family]), [...passes(destinationChain), [COUNT, DROP]]);
    for (const pair of except) {
      chains.set(listedChain(pair[family]), [[ACCEPT]]);
      chains.set(cutChain(pair[family]), [[ACCEPT]]);
    }
  }
  const judged = enforced.flatMap(({ deny, reach }) => {
    const protocol: Rule = reach.kind === "ports" ? [{ kind: "protocol", protocol: reach.protocol }] : [];
    return reaching(reach, "destination", deny[family]).map((rule): Rule => [...protocol, ...rule]);
  });
  chains.set(BASE_CHAIN, [...ALWAYS[hook], ...OF_FAMILY[family], ...judged]);
  for (const [chain, cuts] of cutsOf(enforced, family, hook)) chains.set(chain, cuts);
  return chains;
}

/** A chain for each side, by which it looks the bundle up: single addresses first, they are most. */
export function bundleChains({ name, family, stem, lengths }: BundleSets): ReadonlyMap<string, readonly Rule[]> {
  const bits = ADDRESS_BITS[family];
  const ordered = [bits, ...lengths.toSorted((one, other) => other - one)];
  const lookups = (side: Side, found: string) =>
    ordered.map(
      (length): Rule => [
        { kind: "address", side, family, length, set: kernelSetName(stem, length, bits) },
        { kind: "goto", chain: found },
      ],
    );
  return new Map([
    [name, lookups("source", listedChain(name))],
    [destinationChain(name), lookups("destination", cutChain(name))],
  ]);
}

/** Where no answers return, in the raw hook, nothing has to be cut. */
function cutsOf(enforced: readonly DenyRule[], family: Family, hook: EntryHook): readonly [string, readonly Rule[]][] {
  if (hook === "raw") return [THROUGH_CHAIN, OUT_CHAIN].map((chain) => [chain, []]);
  const cuts = (rules: readonly DenyRule[]) =>
    rules.flatMap(({ deny, reach }) =>
      reaching(reach, "source", destinationChain(deny[family])).map((rule): Rule => [{ kind: "midstream" }, ...rule]),
    );
  const ofTcp = enforced.filter(({ reach }) => reach.kind !== "ports" || reach.protocol === "tcp");
  // An inner host's port isn't the published one: lists for some ports can't be told there.
  const whole = enforced.filter(({ reach }) => reach.kind === "all-traffic");
  return [
    [THROUGH_CHAIN, cuts(whole)],
    [OUT_CHAIN, [[{ kind: "loopback", side: "out" }, RETURN], ...cuts(ofTcp)]],
  ];
}

/** One rule for all traffic, or one a range of this side's ports. */
function reaching(reach: DenyRule["reach"], side: Side, chain: string): readonly Rule[] {
  const jump: Statement = { kind: "jump", chain };
  if (reach.kind !== "ports") return [[jump]];
  return reach.ranges.map((range): Rule => [{ kind: "ports", side, ...range }, jump]);
}

function verdictRules(verdict: DenyRule["verdict"], family: Family): readonly Rule[] {
  if (verdict === "drop") return [[COUNT, DROP]];
  return [
    [TCP, COUNT, { kind: "reset" }],
    [COUNT, { kind: "unreachable", family }],
  ];
}

/** What one chain a bundle can't express is a mistake of ours, not the machine's. */
function checkAlike(rules: readonly DenyRule[], family: Family): void {
  const exceptions = (rule: DenyRule) => rule.except.map((pair) => pair[family]).join();
  const excepted = new Set(rules.flatMap(({ except }) => except.map((pair) => pair[family])));
  for (const rule of rules) {
    const twin = rules.find(({ deny }) => deny[family] === rule.deny[family]);
    if (exceptions(rule) !== exceptions(rules[0] ?? rule) || twin?.verdict !== rule.verdict) {
      throw new Error(`internal error: rule over ${rule.deny[family]}: differs from others in exceptions or verdict`);
    }
    if (excepted.has(rule.deny[family])) {
      throw new Error(`internal error: rule over ${rule.deny[family]}: it is denied and excepted`);
    }
  }
}
