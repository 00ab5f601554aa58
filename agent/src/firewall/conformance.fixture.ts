/** What every backend must do, as cases: run on real kernels over netlink and through the program, and on the dry run. */
import assert from "node:assert/strict";
import { type Family, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type PrefixColumns, prefixColumns } from "@fleetban/proto/model/sorted-columns";
import type { Backend, DenyRule, KernelEntry, Op, Refusal, SetName } from "./backend.ts";

export interface ConformanceCase {
  readonly name: string;
  /** Begins with no set and no rule of ours. */
  run(backend: Backend): Promise<void>;
}

const A: SetName = "fleetban-a-v4";
const B: SetName = "fleetban-b-v4";
const A6: SetName = "fleetban-a-v6";
const B6: SetName = "fleetban-b-v6";

export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  {
    name: "a set is created once; a second time it exists and keeps its entries",
    async run(backend) {
      assert.equal(await create(backend, A, 4), "created");
      await backend.apply([add(A, "1.2.3.4")]);
      assert.equal(await create(backend, A, 4), "exists");
      assert.deepEqual(await prefixesOf(backend, A), ["1.2.3.4"]);
    },
  },
  {
    name: "a set of another family in its place is an error, not a set to use",
    async run(backend) {
      await create(backend, A, 4);
      await assert.rejects(create(backend, A, 6), { code: "set-mismatch" });
    },
  },
  {
    name: "an address is added, renewed, removed, and removing it again is fine",
    async run(backend) {
      await create(backend, A, 4);
      assert.deepEqual(await backend.apply([add(A, "1.2.3.4", 100), add(A, "1.2.3.4", 900)]), []);
      assert.deepEqual(await timeoutsOf(backend, A), [["1.2.3.4", 900]]);
      assert.deepEqual(await backend.apply([remove(A, "1.2.3.4"), remove(A, "1.2.3.4")]), []);
      assert.deepEqual(await prefixesOf(backend, A), []);
    },
  },
  {
    name: "ops are applied in their order",
    async run(backend) {
      await create(backend, A, 4);
      await backend.apply([add(A, "1.2.3.4"), remove(A, "1.2.3.4"), remove(A, "5.6.7.8"), add(A, "5.6.7.8")]);
      assert.deepEqual(await prefixesOf(backend, A), ["5.6.7.8"]);
    },
  },
  {
    name: "timeouts are read back; 0 is none; one beyond the kernel's largest is cut to it",
    async run(backend) {
      await create(backend, A, 4);
      await backend.apply([add(A, "1.0.0.1", 3600), add(A, "1.0.0.2", 0), add(A, "1.0.0.3", 99_999_999)]);
      assert.deepEqual(await timeoutsOf(backend, A), [
        ["1.0.0.1", 3600],
        ["1.0.0.2", 0],
        ["1.0.0.3", 2_147_483],
      ]);
    },
  },
  {
    name: "networks and IPv6 go in and come out as they were",
    async run(backend) {
      await create(backend, A, 4);
      await create(backend, A6, 6);
      const v4 = ["1.0.0.0/8", "1.2.0.0/16", "1.2.3.4", "128.0.0.0/1"];
      const v6 = ["2a00::/32", "2a00:1:2:3::/64", "2a00:1:2:3::4"];
      assert.deepEqual(await backend.apply([...v4.map((p) => add(A, p)), ...v6.map((p) => add(A6, p))]), []);
      assert.deepEqual(await prefixesOf(backend, A), v4.toSorted());
      assert.deepEqual(await prefixesOf(backend, A6), v6.toSorted());
      assert.deepEqual(await backend.apply([remove(A, "1.2.0.0/16"), remove(A6, "2a00::/32")]), []);
      assert.deepEqual(await prefixesOf(backend, A), ["1.0.0.0/8", "1.2.3.4", "128.0.0.0/1"]);
      assert.deepEqual(await prefixesOf(backend, A6), ["2a00:1:2:3::/64", "2a00:1:2:3::4"]);
    },
  },
  {
    name: "an address matches by any network around it, a network by itself only",
    async run(backend) {
      await create(backend, A, 4);
      await create(backend, A6, 6);
      await backend.apply([add(A, "9.9.0.0/16"), add(A6, "2a00:1::/64")]);
      const cases = { "9.9.9.9": true, "9.8.9.9": false, "9.9.0.0/16": true, "9.9.9.0/24": false };
      for (const [prefix, matches] of Object.entries(cases)) {
        assert.equal(await backend.testEntry(A, parsePrefix(prefix)), matches, prefix);
      }
      assert.equal(await backend.testEntry(A6, parsePrefix("2a00:1::1")), true);
      assert.equal(await backend.testEntry(A6, parsePrefix("2a00:2::1")), false);
    },
  },
  {
    name: "a full set refuses by name, renews what it has, and what comes after is applied",
    async run(backend) {
      await create(backend, A, 4, 2);
      await create(backend, B, 4);
      const refusals = await backend.apply([
        add(A, "1.0.0.1"),
        add(A, "1.0.0.2"),
        add(A, "1.0.0.3"),
        add(A, "1.0.0.1", 900),
        add(A, "1.0.0.4"),
        add(B, "1.0.0.3"),
      ]);
      assert.deepEqual(named(refusals), ["set-full add fleetban-a-v4 1.0.0.3", "set-full add fleetban-a-v4 1.0.0.4"]);
      assert.deepEqual(await timeoutsOf(backend, A), [
        ["1.0.0.1", 900],
        ["1.0.0.2", 600],
      ]);
      assert.deepEqual(await prefixesOf(backend, B), ["1.0.0.3"]);
    },
  },
  {
    name: "a run goes in as its ops would, and a refused row is told by its number",
    async run(backend) {
      if (backend.addRun === undefined) return; // it is given ops
      await create(backend, A, 4, 800); // larger ones count by region, and some are full before others
      await create(backend, A6, 6);
      const prefixes = [...addressesFixture(1_500), parsePrefix("2a00::/32"), parsePrefix("2a00:1::7")];
      const refused: number[][] = [];
      for (const columns of prefixColumns(prefixes)) {
        const run = { set: columns.family === 4 ? A : A6, columns, timeouts: new Uint32Array(columns.count).fill(700) };
        const rows = await backend.addRun(run);
        assert.ok(rows.every(({ code }) => code === "set-full"));
        refused.push(rows.map(({ row }) => row));
      }
      assert.deepEqual(refused, [Array.from({ length: 700 }, (_, row) => 800 + row), []]);
      assert.deepEqual(await prefixesOf(backend, A), addressesFixture(1_500).slice(0, 800).sort());
      assert.deepEqual(await timeoutsOf(backend, A6), [
        ["2a00:1::7", 700],
        ["2a00::/32", 700],
      ]);
      const gone = { set: B, columns: prefixColumns([parsePrefix("1.0.0.1")])[0]!, timeouts: Uint32Array.of(9) };
      assert.deepEqual(
        (await backend.addRun(gone)).map(({ row, code }) => [row, code]),
        [[0, "set-missing"]],
      );
    },
  },
  {
    name: "among thousands only the impossible ones are refused, each by its name",
    async run(backend) {
      await create(backend, A, 4, 10_000);
      const ops = addressesFixture(5_000).map((prefix) => add(A, prefix));
      const impossible = ["0.0.0.0/0", "2a00::1", "::/0"].map((prefix) => add(A, prefix));
      ops.splice(4_321, 0, ...impossible.slice(2));
      ops.splice(1_000, 0, ...impossible.slice(1, 2));
      ops.splice(0, 0, ...impossible.slice(0, 1));
      const refusals = await backend.apply(ops);
      assert.deepEqual(
        refusals.map(({ op, code }) => [op.prefix, code]),
        impossible.map((op) => [op.prefix, "kernel-refused"]),
      );
      assert.equal((await prefixesOf(backend, A)).length, 5_000);
    },
  },
  {
    name: "ops on a set that is missing are refused, the others applied",
    async run(backend) {
      await create(backend, A, 4);
      const refusals = await backend.apply([add(B, "1.0.0.1"), add(A, "1.0.0.2"), remove(B, "1.0.0.1")]);
      assert.deepEqual(named(refusals), [
        "set-missing add fleetban-b-v4 1.0.0.1",
        "set-missing remove fleetban-b-v4 1.0.0.1",
      ]);
      assert.deepEqual(await prefixesOf(backend, A), ["1.0.0.2"]);
    },
  },
  {
    name: "asking a missing set is an error that names it",
    async run(backend) {
      const missing = { code: "set-missing", message: /fleetban-a-v4/ };
      await assert.rejects(backend.testEntry(A, parsePrefix("1.0.0.1")), missing);
      await assert.rejects(prefixesOf(backend, A), missing);
      await create(backend, B, 4);
      await assert.rejects(backend.swapSets(A, B), missing);
      await assert.rejects(backend.swapSets(B, A), { code: "set-missing" });
    },
  },
  {
    name: "two sets change places with their sizes and entries",
    async run(backend) {
      await create(backend, A, 4, 2);
      await create(backend, B, 4, 100);
      await backend.apply([add(A, "1.0.0.1"), add(B, "1.0.0.2"), add(B, "1.0.0.3")]);
      await backend.swapSets(A, B);
      assert.deepEqual(await prefixesOf(backend, A), ["1.0.0.2", "1.0.0.3"]);
      assert.deepEqual(await prefixesOf(backend, B), ["1.0.0.1"]);
      assert.deepEqual(await sizes(backend), [`${A} 2 of 100`, `${B} 1 of 2`]);
    },
  },
  {
    name: "a set is swapped and destroyed while somebody is in the middle of reading it",
    async run(backend) {
      await create(backend, A, 4, 20_000);
      await create(backend, B, 4, 20_000);
      await backend.apply(addressesFixture(10_000).map((prefix) => add(A, prefix)));
      const read = new Set<string>();
      for await (const piece of backend.readSet(A)) {
        if (read.size === 0) {
          await backend.swapSets(A, B);
          await backend.destroySet(B);
        }
        for (const { prefix } of piece) read.add(prefix);
      }
      assert.equal(read.size, 10_000);
      assert.deepEqual(await sizes(backend), [`${A} 0 of 20000`]);
    },
  },
  {
    name: "reading may be broken off, and the set is free",
    async run(backend) {
      await create(backend, A, 4, 20_000);
      await backend.apply(addressesFixture(10_000).map((prefix) => add(A, prefix)));
      for await (const piece of backend.readSet(A)) {
        assert.ok(piece.length > 0);
        break;
      }
      await backend.destroySet(A);
      assert.deepEqual(await backend.headers(), []);
    },
  },
  {
    name: "destroying an absent set is fine",
    async run(backend) {
      await backend.destroySet(A);
      await create(backend, A, 4);
      await backend.destroySet(A);
      await backend.destroySet(A);
      assert.deepEqual(await backend.headers(), []);
    },
  },
  {
    name: "headers tell name, family, size, entries and references",
    async run(backend) {
      await createPairs(backend);
      await backend.apply([add(A, "1.0.0.1"), add(A6, "2a00::1"), add(A6, "2a00::2")]);
      await backend.ensureRules([ruleFixture]);
      const headers = (await backend.headers()).toSorted((one, other) => (one.name < other.name ? -1 : 1));
      const isNamed = headers.map(({ references, ...header }) => ({ ...header, isNamed: references > 0 }));
      assert.deepEqual(isNamed, [
        { name: A, family: 4, maxEntries: 1_000, entries: 1, isNamed: true },
        { name: A6, family: 6, maxEntries: 1_000, entries: 2, isNamed: true },
        { name: B, family: 4, maxEntries: 1_000, entries: 0, isNamed: true },
        { name: B6, family: 6, maxEntries: 1_000, entries: 0, isNamed: true },
      ]);
    },
  },
  {
    name: "100,000 entries are read back complete",
    async run(backend) {
      await create(backend, A, 4, 110_000);
      const prefixes = addressesFixture(100_000);
      assert.deepEqual(await backend.apply(prefixes.map((prefix) => add(A, prefix))), []);
      const read = new Set(await prefixesOf(backend, A)); // one that changes its place meanwhile may show twice
      assert.deepEqual([...read], prefixes.toSorted());
    },
  },
  {
    name: "entries that are asked for are told when they are there, and nothing else",
    async run(backend) {
      if (backend.readEntries === undefined) return;
      await createPairs(backend, 5_000);
      const there = ["1.2.3.4", "1.2.3.0/24", "5.0.0.0/8"];
      await backend.apply([...there, "9.9.9.9"].map((text) => add(A, text, 600)));
      await backend.apply([add(A6, "2a00::1", 600), add(A6, "2a01::/64", 600)]);
      const asked = [...there, "1.2.3.5", "8.8.8.8", "1.2.4.0/24", "6.0.0.0/16"];
      assert.deepEqual(await askedFor(backend, A, asked), there.toSorted());
      assert.deepEqual(await askedFor(backend, A6, ["2a00::1", "2a00::2", "2a01::/64", "2a02::/48"]), [
        "2a00::1",
        "2a01::/64",
      ]);
      const all = addressesFixture(5_000);
      await backend.apply(all.filter((_prefix, n) => n % 3 > 0).map((prefix) => add(B, prefix)));
      assert.equal((await askedFor(backend, B, all)).length, 3_333);
    },
  },
  {
    name: "entries are asked for while the set grows by exchange",
    async run(backend) {
      if (backend.readEntries === undefined) return;
      await createPairs(backend, 20_000);
      const all = addressesFixture(10_000);
      for (const set of [A, B]) await backend.apply(all.map((prefix) => add(set, prefix)));
      let read = 0;
      for await (const piece of backend.readEntries(A, columnsFixture(all))) {
        if (read === 0) {
          await backend.swapSets(A, B);
          await backend.destroySet(B);
        }
        read += piece.length;
      }
      assert.equal(read, 10_000);
    },
  },
  {
    name: "rules are present once they were ensured, and missing before",
    async run(backend) {
      await createPairs(backend);
      assert.equal((await backend.ruleState([ruleFixture])).kind, "missing");
      await backend.ensureRules([ruleFixture]);
      await backend.ensureRules([ruleFixture]);
      assert.deepEqual(await backend.ruleState([ruleFixture]), { kind: "present" });
      assert.equal((await backend.ruleState([])).kind, "missing");
      await backend.ensureRules([]);
      assert.deepEqual(await backend.ruleState([]), { kind: "present" });
    },
  },
  {
    name: "a rule over sets that are missing is an error",
    async run(backend) {
      await assert.rejects(backend.ensureRules([ruleFixture]), { code: "set-missing" });
    },
  },
  {
    name: "uninstalling takes rules and sets away, and says what",
    async run(backend) {
      await createPairs(backend);
      await backend.ensureRules([ruleFixture]);
      const removed = (await backend.uninstall()).join("\n");
      for (const name of [A, A6, B, B6]) assert.match(removed, new RegExp(`set ${name}`));
      assert.deepEqual(await backend.headers(), []);
      assert.equal((await backend.ruleState([ruleFixture])).kind, "missing");
      assert.deepEqual(await backend.uninstall(), []);
    },
  },
];

/** Deny A, but not what is in B. */
export const ruleFixture: DenyRule = {
  deny: { 4: A, 6: A6 },
  except: [{ 4: B, 6: B6 }],
  reach: { kind: "all-traffic" },
  verdict: "drop",
};

/** The four sets that `ruleFixture` names. */
export async function createPairs(backend: Backend, maxEntries = 1_000): Promise<void> {
  for (const name of [A, B]) await create(backend, name, 4, maxEntries);
  for (const name of [A6, B6]) await create(backend, name, 6);
}

export function add(set: SetName, prefix: string, timeoutSeconds = 600): Op {
  return { kind: "add", set, prefix: parsePrefix(prefix), timeoutSeconds };
}

export function remove(set: SetName, prefix: string): Op {
  return { kind: "remove", set, prefix: parsePrefix(prefix) };
}

/** Different single addresses. */
export function addressesFixture(count: number): Prefix[] {
  return Array.from({ length: count }, (_, at) =>
    parsePrefix(`${1 + (at >>> 16)}.${(at >>> 8) & 255}.${at & 255}.${1 + (at % 250)}`),
  );
}

function create(backend: Backend, name: SetName, family: Family, maxEntries = 1_000): Promise<"created" | "exists"> {
  return backend.createSet({ name, family, maxEntries });
}

async function entriesOf(backend: Backend, name: SetName): Promise<KernelEntry[]> {
  const entries: KernelEntry[] = [];
  for await (const piece of backend.readSet(name)) entries.push(...piece);
  return entries.toSorted((one, other) => (one.prefix < other.prefix ? -1 : 1));
}

/** Of one family. */
function columnsFixture(prefixes: readonly Prefix[]): PrefixColumns {
  const [four, six] = prefixColumns(prefixes) as [PrefixColumns, PrefixColumns];
  return six.count > 0 ? six : four;
}

/** Nothing where the backend reads sets whole. */
async function askedFor(backend: Backend, name: SetName, texts: readonly string[]): Promise<readonly Prefix[]> {
  const pieces = backend.readEntries?.(name, columnsFixture(texts.map(parsePrefix))) ?? [];
  const entries = (await Array.fromAsync(pieces)).flat();
  return entries.map(({ prefix }) => prefix).sort();
}

async function prefixesOf(backend: Backend, name: SetName): Promise<Prefix[]> {
  return (await entriesOf(backend, name)).map(({ prefix }) => prefix);
}

/** Rounded up to tens: a second may have passed. */
async function timeoutsOf(backend: Backend, name: SetName): Promise<[Prefix, number][]> {
  const rounded = (seconds: number) => (seconds > 2_147_000 ? 2_147_483 : Math.ceil(seconds / 10) * 10);
  return (await entriesOf(backend, name)).map(({ prefix, timeoutSeconds }) => [prefix, rounded(timeoutSeconds)]);
}

async function sizes(backend: Backend): Promise<string[]> {
  const headers = await backend.headers();
  return headers.map(({ name, entries, maxEntries }) => `${name} ${entries} of ${maxEntries}`).toSorted();
}

function named(refusals: readonly Refusal[]): string[] {
  return refusals.map(({ op, code }) => `${code} ${op.kind} ${op.set} ${op.prefix}`);
}
