/** Which requests make, change and remove bundles and the rules over them. Pure: a view in, a transaction out. */
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetSpec } from "../backend.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import type { Request } from "./conversation.ts";
import { type BundleSets, basePlaces, bundleChains, type HookPlace, ruleChains } from "./layout.ts";
import { chainsOf, freeStem, kernelSetName } from "./names.ts";
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
import { type Bundle, FAMILIES, type FamilyView, type KernelChain, type TableView } from "./table-view.ts";

export function createRequests({ name, family, maxEntries }: SetSpec, view: TableView, counts: boolean): Request[] {
  const { sets } = view.families[family];
  const stem = freeStem(name, (taken) => sets.has(taken));
  return [
    newTable(family),
    newSet({ name: stem, family, maxEntries, counts }),
    ...lookupRequests({ name, family, stem, lengths: [] }, view),
  ];
}

/** A set for networks of one more length, and its lookup. */
export function lengthRequests(bundle: Bundle, length: number, view: TableView, counts: boolean): Request[] {
  const { family, stem, lengths } = bundle;
  const name = kernelSetName(stem, length, ADDRESS_BITS[family]);
  // Its size is known to nobody; it grows by itself.
  const set = newSet({ name, family, maxEntries: undefined, counts });
  return [set, ...lookupRequests({ ...bundle, lengths: [...lengths, length] }, view)];
}

/** Each gets the other's sets: nothing but lookups changes. */
export function swapRequests(one: Bundle, other: Bundle, view: TableView): Request[] {
  return [exchanged(one, other), exchanged(other, one)].flatMap((bundle) => lookupRequests(bundle, view));
}

export function destroyRequests({ name, family, stem, lengths }: Bundle, { chains }: FamilyView): Request[] {
  const bits = ADDRESS_BITS[family];
  const there = chainsOf(name).filter((chain) => chains.has(chain));
  return [
    ...there.map((chain) => clearChain(family, chain)), // they lead to one another
    ...there.map((chain) => deleteChain(family, chain)),
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
    for (const chain of chainsOf(bundle.name)) if (!wanted.has(chain)) wanted.set(chain, []);
    for (const [chain, lookups] of bundleChains(bundle)) wanted.set(chain, lookups);
  }
  const places = basePlaces(hook);
  return Array.from(wanted).flatMap(([chain, ruled]) => {
    const what = differenceOf(chain, ruled, chains.get(chain), places.get(chain), linesOf);
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
  const places = basePlaces(hook);
  const isMoved = (chain: string) => places.has(chain) && places.get(chain)?.priority !== chains.get(chain)?.priority;
  const made = differences.flatMap(({ chain }) => {
    const place = places.get(chain);
    if (place === undefined) return [newChain(family, chain)];
    const away = chains.has(chain) && isMoved(chain) ? [clearChain(family, chain), deleteChain(family, chain)] : [];
    return [...away, newBaseChain(family, chain, place)];
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

/** The bundle's chains, those that look it up filled anew. */
function lookupRequests(bundle: BundleSets, { families }: TableView): Request[] {
  const { name, family } = bundle;
  const { chains } = families[family];
  const filled = [...bundleChains(bundle)].flatMap(([chain, rules]) =>
    ruleRequests(family, chain, rules, chains.has(chain)),
  );
  return [...chainsOf(name).map((chain) => newChain(family, chain)), ...filled];
}

function ruleRequests(family: Family, chain: string, rules: readonly Rule[], isThere: boolean): Request[] {
  return [...(isThere ? [clearChain(family, chain)] : []), ...rules.map((rule) => newRule(family, chain, rule))];
}

function differenceOf(
  chain: string,
  wanted: readonly Rule[],
  there: KernelChain | undefined,
  place: HookPlace | undefined,
  linesOf: (rule: Rule) => readonly string[],
): string | undefined {
  if (there === undefined) return `chain ${chain}`;
  if (there.priority !== place?.priority) {
    return `chain ${chain} at priority ${place?.priority ?? "none"} (it is at ${there.priority ?? "none"})`;
  }
  const first = wanted.findIndex((rule, at) => linesOf(rule).join() !== there.rules[at]?.lines.join());
  if (first >= 0) return `rule ${first + 1} of ${wanted.length} in chain ${chain}`;
  return there.rules.length > wanted.length ? `${chain} without a rule too many` : undefined;
}
