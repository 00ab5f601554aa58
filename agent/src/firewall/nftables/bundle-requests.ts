/** Which requests make, change and remove bundles and the rules over them. Pure: a view in, a transaction out. */
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetSpec } from "../backend.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import type { Request } from "./conversation.ts";
import { type BundleSets, bundleRules, HOOK_PRIORITY, ruleChains } from "./layout.ts";
import { BASE_CHAIN, freeStem, kernelSetName, listedChain } from "./names.ts";
import type { Rule } from "./statement.ts";
import { ADDRESS_BITS } from "./statement.ts";
import {
  clearChain,
  deleteChain,
  deleteSet,
  newBaseChain,
  newChain,
  newRule,
  newSet,
  newTable,
} from "./table-requests.ts";
import { type Bundle, FAMILIES, type FamilyView, type TableView } from "./table-view.ts";

export function createRequests({ name, family, maxEntries }: SetSpec, view: TableView, counts: boolean): Request[] {
  const { sets, chains } = view.families[family];
  const stem = freeStem(name, (taken) => sets.has(taken));
  return [
    newTable(family),
    newSet({ name: stem, family, maxEntries, counts }),
    newChain(family, listedChain(name)),
    ...chainRequests(family, name, bundleRules({ name, family, stem, lengths: [] }), chains.has(name)),
  ];
}

/** A set for networks of one more length, and its lookup. */
export function lengthRequests(bundle: Bundle, length: number, counts: boolean): Request[] {
  const { name, family, stem, lengths } = bundle;
  const set = kernelSetName(stem, length, ADDRESS_BITS[family]);
  return [
    newSet({ name: set, family, maxEntries: undefined, counts }), // its size is known to nobody; it grows by itself
    newChain(family, listedChain(name)),
    ...chainRequests(family, name, bundleRules({ ...bundle, lengths: [...lengths, length] }), true),
  ];
}

/** Each gets the other's sets: nothing but lookups changes. */
export function swapRequests(one: Bundle, other: Bundle): Request[] {
  return [exchanged(one, other), exchanged(other, one)].flatMap((bundle) => [
    newChain(bundle.family, listedChain(bundle.name)),
    ...chainRequests(bundle.family, bundle.name, bundleRules(bundle), true),
  ]);
}

export function destroyRequests({ name, family, stem, lengths }: Bundle, { chains }: FamilyView): Request[] {
  const bits = ADDRESS_BITS[family];
  const ofBundle = [name, listedChain(name)].filter((chain) => chains.has(chain));
  return [
    ...ofBundle.flatMap((chain) => [clearChain(family, chain), deleteChain(family, chain)]),
    ...[bits, ...lengths].map((length) => deleteSet(family, kernelSetName(stem, length, bits))),
  ];
}

/** Chains that are not as they should be, with what is missing. */
export interface ChainDifference {
  readonly chain: string;
  readonly rules: readonly Rule[];
  readonly what: string;
}

/** `linesOf` = a rule in the words of the view. */
export function chainDifferences(
  rules: readonly DenyRule[],
  view: TableView,
  family: Family,
  hook: EntryHook,
  linesOf: (rule: Rule) => readonly string[],
): readonly ChainDifference[] {
  const { chains } = view.families[family];
  const wanted = ruleChains(rules, family, hook);
  for (const bundle of view.bundles.values()) {
    if (bundle.family !== family) continue;
    wanted.set(bundle.name, bundleRules(bundle));
    if (!wanted.has(listedChain(bundle.name))) wanted.set(listedChain(bundle.name), []);
  }
  return Array.from(wanted).flatMap(([chain, ruled]) => {
    const what = differenceOf(chain, ruled, chains.get(chain), hook, linesOf);
    return what === undefined ? [] : [{ chain, rules: ruled, what }];
  });
}

/** Puts these chains as they should be: first all of them, for they lead to one another, then what is in them. */
export function chainsRequests(
  differences: readonly ChainDifference[],
  { chains }: FamilyView,
  family: Family,
  hook: EntryHook,
): Request[] {
  const isMoved = (chain: string) => chain === BASE_CHAIN && chains.get(chain)?.priority !== HOOK_PRIORITY[hook];
  const made = differences.flatMap(({ chain }) => {
    if (chain !== BASE_CHAIN) return [newChain(family, chain)];
    const away = chains.has(chain) && isMoved(chain) ? [clearChain(family, chain), deleteChain(family, chain)] : [];
    return [...away, newBaseChain(family, hook)];
  });
  const filled = differences.flatMap(({ chain, rules }) =>
    ruleRequests(family, chain, rules, chains.has(chain) && !isMoved(chain)),
  );
  return [newTable(family), ...made, ...filled];
}

/** Sets that rules name and that are not there. */
export function missingSets(rules: readonly DenyRule[], view: TableView): readonly string[] {
  const named = rules.flatMap(({ deny, except }) => [deny, ...except]).flatMap((pair) => FAMILIES.map((f) => pair[f]));
  return [...new Set(named)].filter((name) => !view.bundles.has(name));
}

function exchanged(one: Bundle, other: Bundle): BundleSets {
  return { ...one, stem: other.stem, lengths: other.lengths };
}

function chainRequests(family: Family, chain: string, rules: readonly Rule[], isThere: boolean): Request[] {
  return [newChain(family, chain), ...ruleRequests(family, chain, rules, isThere)];
}

function ruleRequests(family: Family, chain: string, rules: readonly Rule[], isThere: boolean): Request[] {
  return [...(isThere ? [clearChain(family, chain)] : []), ...rules.map((rule) => newRule(family, chain, rule))];
}

function differenceOf(
  chain: string,
  wanted: readonly Rule[],
  there: FamilyView["chains"] extends ReadonlyMap<string, infer Chain> ? Chain | undefined : never,
  hook: EntryHook,
  linesOf: (rule: Rule) => readonly string[],
): string | undefined {
  if (there === undefined) return `chain ${chain}`;
  if (chain === BASE_CHAIN && there.priority !== HOOK_PRIORITY[hook]) {
    return `chain ${chain} at priority ${HOOK_PRIORITY[hook]} (it is at ${there.priority ?? "none"})`;
  }
  const place = wanted.findIndex((rule, at) => linesOf(rule).join() !== there.rules[at]?.lines.join());
  if (place >= 0) return `rule ${place + 1} of ${wanted.length} in chain ${chain}`;
  return there.rules.length > wanted.length ? `${chain} without a rule too many` : undefined;
}
