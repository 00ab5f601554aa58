/**
 * The sets by their names, and what a former run left in the kernel: routes whose set has not been asked for yet.
 *
 * Whoever creates a set gets what its number marks. What nobody asks for stays in force until its own end.
 */
import { type Family, familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetHeader, SetName, SetSpec } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import type { FoundRoute } from "./kernel-routes.ts";
import { tagOf } from "./set-tag.ts";
import { createTimedSet, type TimedSet } from "./timed-set.ts";
import type { Roles, TaggedSet } from "./wanted-route.ts";

export interface HeldSets {
  adopt(found: readonly FoundRoute[]): void;
  create(spec: SetSpec): "created" | "exists";
  find(name: SetName): TimedSet | undefined;
  /** Throws BackendError `set-missing`. */
  must(name: SetName): TimedSet;
  swap(a: SetName, b: SetName): void;
  destroy(name: SetName): void;
  clear(): void;
  names(): readonly SetName[];
  headers(references: (name: SetName) => number): readonly SetHeader[];
  /** The sets that rules name, and what is left of a former run. */
  roles(family: Family, rules: readonly DenyRule[]): Roles;
  /** The kernel does not have it: out of every set. */
  forget(prefix: Prefix): void;
}

interface Orphan extends TaggedSet {
  readonly kind: FoundRoute["route"]["kind"];
}

export function createHeldSets(onAdopted: (set: TimedSet, prefix: Prefix, end: number) => void): HeldSets {
  const sets = new Map<SetName, TimedSet>();
  let orphans: Orphan[] = [];

  function must(name: SetName): TimedSet {
    const set = sets.get(name);
    if (set === undefined) throw new BackendError("set-missing", `set ${name}: no such set`);
    return set;
  }

  function orphanOf(family: Family, tag: number, kind: Orphan["kind"]): TimedSet {
    const known = orphans.find((one) => one.set.family === family && one.tag === tag && one.kind === kind);
    if (known !== undefined) return known.set;
    const orphan = { tag, kind, set: createTimedSet(family, 0) };
    orphans.push(orphan);
    return orphan.set;
  }

  return {
    must,
    adopt(found) {
      for (const { prefix, route } of found) {
        const set = orphanOf(familyOf(prefix), route.tag, route.kind);
        set.put(prefix, route.end);
        onAdopted(set, prefix, route.end);
      }
    },
    create({ name, family, maxEntries }) {
      const present = sets.get(name);
      if (present !== undefined) {
        if (present.family === family) return "exists";
        const found = `is for IPv${present.family}, must be for IPv${family}`;
        throw new BackendError("set-mismatch", `set ${name}: ${found}`, remedyFor("set-mismatch"));
      }
      const made = createTimedSet(family, maxEntries);
      sets.set(name, made);
      const left = orphans.filter(({ set, tag }) => set.family === family && tag === tagOf(name));
      orphans = orphans.filter((one) => !left.includes(one));
      for (const { set } of left) {
        for (const { prefix } of set.entries(0)) {
          made.put(prefix, set.endOf(prefix) ?? 0);
          onAdopted(made, prefix, set.endOf(prefix) ?? 0);
        }
      }
      return left.length > 0 ? "exists" : "created";
    },
    find: (name) => sets.get(name),
    swap(a, b) {
      const [one, other] = [must(a), must(b)];
      if (one.family !== other.family) {
        throw new BackendError("set-mismatch", `sets ${a} and ${b}: are of two families`, remedyFor("set-mismatch"));
      }
      sets.set(a, other);
      sets.set(b, one);
    },
    destroy: (name) => void sets.delete(name),
    clear() {
      sets.clear();
      orphans = [];
    },
    names: () => [...sets.keys()],
    headers: (references) =>
      Array.from(sets, ([name, { family, maxEntries, size }]) => ({
        ...{ name, family, entries: size, references: references(name) },
        maxEntries: Math.max(maxEntries, size), // one that was adopted is as large as what it took over
      })),
    roles(family, rules) {
      const named = (names: readonly SetName[]) =>
        [...new Set(names)].map((name) => ({ tag: tagOf(name), set: must(name) }));
      const left = (kind: Orphan["kind"]) => orphans.filter((one) => one.set.family === family && one.kind === kind);
      return {
        deny: [...named(rules.map(({ deny }) => deny[family])), ...left("blackhole")],
        except: [...named(rules.flatMap(({ except }) => except.map((pair) => pair[family]))), ...left("throw")],
      };
    },
    forget(prefix) {
      for (const set of [...sets.values(), ...orphans.map((one) => one.set)]) set.remove(prefix);
    },
  };
}
