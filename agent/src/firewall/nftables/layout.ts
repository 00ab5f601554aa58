/**
 * The rules over the bundles, as chains. Pure.
 *
 * A packet of a source that nobody lists passes the base chain and the lookups of each deny bundle, nothing more. One that
 * is found goes to `NAME/listed`, past what is excepted (which accepts it, for all rules: they have the same exceptions),
 * to the verdict. Changing what a bundle consists of is a matter of its own chain only.
 */
import type { PortRange } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetName } from "../backend.ts";
import { type EntryHook, isEnforceable } from "../ipset/rule-text.ts";
import { BASE_CHAIN, kernelSetName, listedChain } from "./names.ts";
import { ADDRESS_BITS, type Rule, type Statement } from "./statement.ts";

/** In the places of iptables' mangle and raw: behind conntrack (-200), or before it. */
export const HOOK_PRIORITY: Readonly<Record<EntryHook, number>> = { conntrack: -150, raw: -300 };

/** Which kernel sets a bundle consists of now. */
export interface BundleSets {
  readonly name: SetName;
  readonly family: Family;
  readonly stem: string;
  /** Without that of single addresses. */
  readonly lengths: readonly number[];
}

const RETURN: Statement = { kind: "verdict", verdict: "return" };
const ACCEPT: Statement = { kind: "verdict", verdict: "accept" };
const COUNT: Statement = { kind: "count" };
const NEIGHBOR_SOLICITATION = 135;
const NEIGHBOR_ADVERTISEMENT = 136;

/** Loopback, answers and neighbor discovery are never looked at; the reasons are those of ipset's rules. */
const ALWAYS: Readonly<Record<EntryHook, readonly Rule[]>> = {
  conntrack: [
    [{ kind: "loopback" }, RETURN],
    [{ kind: "reply" }, RETURN],
  ],
  raw: [[{ kind: "loopback" }, RETURN]],
};
const OF_FAMILY: Readonly<Record<Family, readonly Rule[]>> = {
  4: [],
  6: [
    [{ kind: "icmpv6", type: NEIGHBOR_SOLICITATION }, RETURN],
    [{ kind: "icmpv6", type: NEIGHBOR_ADVERTISEMENT }, RETURN],
  ],
};

/** The base chain and the `listed` chain of each bundle that a rule names. */
export function ruleChains(rules: readonly DenyRule[], family: Family, hook: EntryHook): Map<string, readonly Rule[]> {
  const enforced = rules.filter(({ reach }) => isEnforceable(reach));
  checkAlike(enforced, family);
  const jumps = enforced.flatMap(({ deny, reach }) => {
    const jump: Statement = { kind: "jump", chain: deny[family] };
    if (reach.kind !== "ports") return [[jump]];
    return reach.ranges.map(
      (range: PortRange) => [{ kind: "ports", protocol: reach.protocol, ...range }, jump] as Rule,
    );
  });
  const chains = new Map<string, readonly Rule[]>();
  for (const { deny, except, verdict } of enforced) {
    const passes = except.map((pair): Rule => [{ kind: "jump", chain: pair[family] }]);
    chains.set(listedChain(deny[family]), [...passes, ...verdictRules(verdict, family)]);
    for (const pair of except) chains.set(listedChain(pair[family]), [[ACCEPT]]);
  }
  chains.set(BASE_CHAIN, [...ALWAYS[hook], ...OF_FAMILY[family], ...jumps]);
  return chains;
}

/** The lookups of a bundle: single addresses first, they are most. */
export function bundleRules({ name, family, stem, lengths }: BundleSets): readonly Rule[] {
  const bits = ADDRESS_BITS[family];
  const found: Statement = { kind: "goto", chain: listedChain(name) };
  return [bits, ...lengths.toSorted((one, other) => other - one)].map((length) => [
    { kind: "source", family, length, set: kernelSetName(stem, length, bits) },
    found,
  ]);
}

function verdictRules(verdict: DenyRule["verdict"], family: Family): readonly Rule[] {
  if (verdict === "drop") return [[COUNT, { kind: "verdict", verdict: "drop" }]];
  return [
    [{ kind: "tcp" }, COUNT, { kind: "reset" }],
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
