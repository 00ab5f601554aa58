/**
 * What our two tables hold at one moment: kernel sets, chains with their rules, and which bundles that makes.
 *
 * It is read anew whenever something is to be changed or checked (a few dumps, well under a millisecond): nothing that
 * others do to the tables is ever remembered wrongly.
 */
import type { Family } from "@fleetban/proto/model/prefix";
import type { SetName } from "../backend.ts";
import { ATTRIBUTES_AT, type Attribute, attributesIn, type Message, textOf } from "../ipset/attributes.ts";
import type { Conversation } from "./conversation.ts";
import { describeExpressions, namesIn } from "./expressions.ts";
import { bundleOfStem, destinationChain, isBundleChain, partsOfKernelSet, TABLE_NAME } from "./names.ts";
import { CHAIN, ERRNO, HOOK, MESSAGE, RULE, SET, SET_DESCRIPTION, SET_HAS_TIMEOUTS, TABLE } from "./protocol.ts";
import { ADDRESS_BITS } from "./statement.ts";
import { tableError } from "./table-error.ts";
import { dumpOf } from "./table-requests.ts";

export const FAMILIES: readonly Family[] = [4, 6];

export interface KernelSet {
  readonly name: string;
  readonly family: Family;
  /** 0 = no bound. */
  readonly maxEntries: number;
  /** Undefined: this kernel doesn't say. */
  readonly entries: number | undefined;
  readonly hasTimeouts: boolean;
  readonly keyBytes: number;
}

export interface KernelRule {
  readonly lines: readonly string[];
  readonly sets: readonly string[];
  readonly chains: readonly string[];
}

export interface KernelChain {
  readonly rules: readonly KernelRule[];
  /** Undefined: it is in no hook. */
  readonly priority: number | undefined;
}

export interface Bundle {
  readonly name: SetName;
  readonly family: Family;
  readonly stem: string;
  readonly lengths: readonly number[];
  readonly maxEntries: number;
  /** Rules that lead to it. */
  readonly references: number;
}

export interface FamilyView {
  readonly sets: ReadonlyMap<string, KernelSet>;
  readonly chains: ReadonlyMap<string, KernelChain>;
}

export interface TableView {
  readonly families: Readonly<Record<Family, FamilyView>>;
  readonly bundles: ReadonlyMap<SetName, Bundle>;
}

export function readTables(kernel: Conversation): TableView {
  const families = { 4: readFamily(kernel, 4), 6: readFamily(kernel, 6) };
  const bundles = FAMILIES.flatMap((family) => bundlesIn(families[family], family));
  return { families, bundles: new Map(bundles.map((bundle) => [bundle.name, bundle])) };
}

function readFamily(kernel: Conversation, family: Family): FamilyView {
  const sets = new Map<string, KernelSet>();
  const chains = new Map<string, KernelChain & { readonly rules: KernelRule[] }>();
  each(kernel, MESSAGE.getSet, family, (message) => {
    const set = setIn(message, family);
    sets.set(set.name, set);
  });
  each(kernel, MESSAGE.getChain, family, (message) => {
    const { name, priority } = chainIn(message);
    chains.set(name, { priority, rules: [] });
  });
  each(kernel, MESSAGE.getRule, family, (message) => {
    const { chain, rule } = ruleIn(message);
    chains.get(chain)?.rules.push(rule);
  });
  return { sets, chains };
}

/** Of our table: the kernel tells of chains whatever their table is. */
function each(kernel: Conversation, type: number, family: Family, take: (message: Message) => void): void {
  const errno = kernel.dump(dumpOf(type, family), (message) => {
    const { view } = message;
    const table = byType(view, { from: ATTRIBUTES_AT, to: view.byteLength }).get(TABLE.name);
    if (textAt(view, table) === TABLE_NAME) take(message);
  });
  if (errno !== 0 && errno !== ERRNO.absent) throw tableError("list the tables", errno);
}

/** A bundle is where a chain looks its sets up, or where a kernel set is left that no chain looks up. */
function bundlesIn({ sets, chains }: FamilyView, family: Family): readonly Bundle[] {
  const bits = ADDRESS_BITS[family];
  const stemByName = new Map<SetName, string>();
  const blank: SetName[] = [];
  for (const [name, { rules }] of chains) {
    const set = rules.flatMap((rule) => rule.sets)[0];
    if (!isBundleChain(name)) continue;
    if (set === undefined) blank.push(name);
    else stemByName.set(name, partsOfKernelSet(set, bits).stem);
  }
  const unclaimed = new Set(Array.from(sets.keys(), (name) => partsOfKernelSet(name, bits).stem));
  for (const stem of stemByName.values()) unclaimed.delete(stem);
  const take = (name: SetName, stem: string | undefined) => {
    if (stem === undefined || stemByName.has(name) || !unclaimed.delete(stem)) return;
    stemByName.set(name, stem);
  };
  for (const stem of [...unclaimed]) if (!isBlankOfOther(stem, blank)) take(bundleOfStem(stem), stem);
  // Somebody emptied a chain: what is left over by the others must be its sets, when only one is.
  const still = blank.filter((name) => !stemByName.has(name));
  if (still.length === 1 && still[0] !== undefined && unclaimed.size === 1) take(still[0], [...unclaimed][0]);
  for (const stem of [...unclaimed]) take(bundleOfStem(stem), stem);
  const references = countReferences(chains);
  return Array.from(stemByName, ([name, stem]) => ({
    ...{ name, family, stem },
    lengths: lengthsOf(sets, stem, bits),
    maxEntries: sets.get(stem)?.maxEntries ?? 0,
    references: (references.get(name) ?? 0) + (references.get(destinationChain(name)) ?? 0),
  }));
}

/** A stem whose own bundle has no chain, while others' chains have been emptied: it may be theirs. */
function isBlankOfOther(stem: string, blank: readonly SetName[]): boolean {
  return blank.length > 0 && !blank.includes(bundleOfStem(stem));
}

function lengthsOf(sets: ReadonlyMap<string, KernelSet>, stem: string, bits: number): readonly number[] {
  const parts = Array.from(sets.keys(), (name) => partsOfKernelSet(name, bits));
  return parts.filter((part) => part.stem === stem && part.length !== bits).map(({ length }) => length);
}

function countReferences(chains: ReadonlyMap<string, KernelChain>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const leadsTo = [...chains.values()].flatMap(({ rules }) => rules.flatMap((rule) => rule.chains));
  for (const chain of leadsTo) counts.set(chain, (counts.get(chain) ?? 0) + 1);
  return counts;
}

/** In an answer about sets. */
export function setIn({ view }: Message, family: Family): KernelSet {
  const at = byType(view, { from: ATTRIBUTES_AT, to: view.byteLength });
  const number = (type: number) => numberAt(view, at.get(type));
  const description = at.get(SET.description);
  const size = description === undefined ? undefined : byType(view, description).get(SET_DESCRIPTION.size);
  return {
    name: textAt(view, at.get(SET.name)),
    family,
    maxEntries: numberAt(view, size) ?? 0,
    entries: number(SET.count),
    hasTimeouts: ((number(SET.flags) ?? 0) & SET_HAS_TIMEOUTS) !== 0,
    keyBytes: number(SET.keyLength) ?? 0,
  };
}

function chainIn({ view }: Message): { readonly name: string; readonly priority: number | undefined } {
  const at = byType(view, { from: ATTRIBUTES_AT, to: view.byteLength });
  const hook = at.get(CHAIN.hook);
  const priority = hook === undefined ? undefined : byType(view, hook).get(HOOK.priority);
  return { name: textAt(view, at.get(CHAIN.name)), priority: priority && view.getInt32(priority.from) };
}

function ruleIn({ view }: Message): { readonly chain: string; readonly rule: KernelRule } {
  const at = byType(view, { from: ATTRIBUTES_AT, to: view.byteLength });
  const expressions = at.get(RULE.expressions);
  const chain = textAt(view, at.get(RULE.chain));
  if (expressions === undefined) return { chain, rule: { lines: [], sets: [], chains: [] } };
  return { chain, rule: { lines: describeExpressions(view, expressions), ...namesIn(view, expressions) } };
}

function byType(view: DataView, { from, to }: Pick<Attribute, "from" | "to">): ReadonlyMap<number, Attribute> {
  return new Map(Array.from(attributesIn(view, from, to), (attribute) => [attribute.type, attribute]));
}

function textAt(view: DataView, attribute: Attribute | undefined): string {
  return attribute === undefined ? "" : textOf(view, attribute);
}

function numberAt(view: DataView, attribute: Attribute | undefined): number | undefined {
  return attribute === undefined ? undefined : view.getUint32(attribute.from);
}
