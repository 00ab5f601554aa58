/**
 * The backend that touches nothing: it keeps in memory what a kernel would hold, and answers as one would.
 *
 * For machines that only watch, and for tests under a virtual clock: it waits for nothing and starts nothing.
 */
import type { Clock } from "@fleetban/kit/clock";
import { piecesOf } from "@fleetban/kit/pieces";
import { type Family, familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import { addsIn } from "../add-run.ts";
import type { Backend, DenyRule, Op, Refusal, RuleState, SetHeader, SetName } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { createMemorySet, type MemorySet } from "./memory-set.ts";

const ENTRIES_A_PIECE = 1_000;
const PRESENT: RuleState = { kind: "present" };
const MISSING: RuleState = { kind: "missing", what: "the rules" };

export interface DryRunBackend extends Backend {
  /** What the rules would do to a packet from there: true = it is dropped, and counted where it matched. */
  receive(source: Prefix, bytes: number): boolean;
}

export function createDryRunBackend(clock: Pick<Clock, "monotonicMs">): DryRunBackend {
  const sets = new Map<SetName, MemorySet>();
  let rules: readonly DenyRule[] | undefined;

  const setNamed = (name: SetName) => {
    const set = sets.get(name);
    if (set === undefined) throw new BackendError("set-missing", `set ${name}: no such set`);
    return set;
  };
  return {
    name: "dry-run",
    via: "memory",
    async createSet(spec) {
      const present = sets.get(spec.name);
      if (present === undefined)
        sets.set(
          spec.name,
          createMemorySet(spec, () => clock.monotonicMs()),
        );
      else checkFamily(present, spec.family);
      return present === undefined ? "created" : "exists";
    },
    async swapSets(a, b) {
      const [one, other] = [setNamed(a), setNamed(b)];
      checkFamily(one, other.spec.family);
      sets.set(a, other);
      sets.set(b, one);
    },
    async destroySet(name) {
      if (referencesTo(name, rules) > 0) {
        throw new BackendError("set-in-use", `destroy set ${name}: a rule names the set`, remedyFor("set-in-use"));
      }
      sets.delete(name);
    },
    apply: async (ops) => ops.flatMap((op) => applyOp(sets.get(op.set), op)),
    async addRun(run) {
      const ops = [...addsIn(run)];
      const rows = new Map(ops.map((op, row) => [op, row]));
      const refusals = ops.flatMap((op) => applyOp(sets.get(op.set), op));
      return refusals.map(({ op, code, detail }) => ({ row: rows.get(op) ?? 0, code, detail }));
    },
    headers: async () => Array.from(sets, ([name, set]) => headerOf(name, set, rules)),
    async *readSet(name) {
      const entries = setNamed(name).entries();
      yield* piecesOf(entries, ENTRIES_A_PIECE);
    },
    async *readEntries(name, prefixes) {
      const asked = new Set(prefixesOf([prefixes]));
      const entries = setNamed(name).entries();
      yield* piecesOf(
        entries.filter(({ prefix }) => asked.has(prefix)),
        ENTRIES_A_PIECE,
      );
    },
    testEntry: async (set, prefix) => setNamed(set).matches(prefix),
    async ensureRules(wanted) {
      for (const name of setsOf(wanted)) setNamed(name);
      rules = wanted;
    },
    ruleState: async (wanted) => (sameRules(rules, wanted) ? PRESENT : MISSING),
    watchRules: () => ({ close: () => undefined }), // nobody else can change them
    async uninstall() {
      const removed = [...(rules === undefined ? [] : ["rules"]), ...Array.from(sets.keys(), (name) => `set ${name}`)];
      rules = undefined;
      sets.clear();
      return removed;
    },
    close: async () => undefined,
    receive(source, bytes) {
      const family = familyOf(source);
      const matches = (pair: DenyRule["deny"]) => setNamed(pair[family]).matches(source);
      const rule = (rules ?? []).find(({ deny, except }) => matches(deny) && !except.some(matches));
      if (rule !== undefined) setNamed(rule.deny[family]).count(source, bytes);
      return rule !== undefined;
    },
  };
}

function applyOp(set: MemorySet | undefined, op: Op): readonly Refusal[] {
  if (set === undefined) return [{ op, code: "set-missing", detail: "no such set" }];
  if (op.kind === "remove") {
    set.remove(op.prefix);
    return [];
  }
  const refused = set.add(op.prefix, op.timeoutSeconds);
  return refused === undefined ? [] : [{ op, ...refused }];
}

function checkFamily({ spec }: MemorySet, family: Family): void {
  if (spec.family === family) return;
  const found = `is for IPv${spec.family}, must be for IPv${family}`;
  throw new BackendError("set-mismatch", `set ${spec.name}: ${found}`, remedyFor("set-mismatch"));
}

function headerOf(name: SetName, set: MemorySet, rules: readonly DenyRule[] | undefined): SetHeader {
  const { family, maxEntries } = set.spec;
  return { name, family, maxEntries, entries: set.size(), references: referencesTo(name, rules) };
}

function referencesTo(name: SetName, rules: readonly DenyRule[] | undefined): number {
  return setsOf(rules ?? []).filter((named) => named === name).length;
}

function setsOf(rules: readonly DenyRule[]): readonly SetName[] {
  return rules.flatMap(({ deny, except }) => [deny, ...except]).flatMap((pair) => [pair[4], pair[6]]);
}

function sameRules(a: readonly DenyRule[] | undefined, b: readonly DenyRule[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
