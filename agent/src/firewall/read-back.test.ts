import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import { addresses } from "../mirror/mirror.fixture.ts";
import type { Backend, KernelEntry } from "./backend.ts";
import { createReadBack } from "./read-back.ts";
import { createSetRegistry } from "./set-registry.ts";

const [A, B, C, D] = ["81.0.0.1", "81.0.0.2", "81.0.0.3", "81.0.0.4"].map(parsePrefix) as [
  Prefix,
  Prefix,
  Prefix,
  Prefix,
];

test("what is applied while a set is read is believed, whatever the reading showed of it", async () => {
  const { set, compare } = fixture(async function* () {
    yield [entry(A), entry(D)];
    apply(set, [A, D], [C]); // A is taken out behind the reading, C put in before it
    yield [entry(B)];
  });
  apply(set, [], [A, B, D]);
  assert.deepEqual(await compare(), { missing: [], foreign: [] });
  assert.deepEqual(
    [A, B, C, D].map((prefix) => set.entries.has(prefix)),
    [false, true, true, false],
  );
});

test("what nobody applied is missing or foreign, entries at the edge of their timeout apart", async () => {
  const { set, compare } = fixture(async function* () {
    yield [entry(C), entry(D, 2)];
  });
  apply(set, [], [A]);
  set.entries.put(B, 2);
  assert.deepEqual(await compare(), { missing: [A], foreign: [C] });
  assert.deepEqual(
    [A, B, C, D].map((prefix) => set.entries.has(prefix)),
    [false, false, true, true],
  );
});

test("of a large set it is asked what is believed, one entry after the other; read whole when there is more in it", async () => {
  const read: string[] = [];
  const many = addresses(20_000);
  const [first, foreign] = [many[0] as Prefix, parsePrefix("99.0.0.1")];
  const { set, compare } = fixture(
    async function* () {
      read.push("whole");
      yield [...many, foreign].map((prefix) => entry(prefix));
    },
    async function* (_name, prefixes) {
      read.push(`of ${prefixes.count}`);
      yield many.slice(1).map((prefix) => entry(prefix));
    },
  );
  apply(set, [], many.slice(1));
  assert.equal((await compare()).foreign.length, 2);
  assert.deepEqual(read, ["whole"]); // it was one too small
  const { missing, foreign: none } = await compare();
  assert.deepEqual([missing.toSorted(), none], [[first, foreign], []]);
  apply(set, [], [first]);
  assert.deepEqual(await compare(true), { missing: [], foreign: [foreign] });
  assert.deepEqual(read, ["whole", "of 20001", "whole"]);
});

test("what a large set holds at a start is guessed, and read whole where the kernel counts more", async () => {
  const read: string[] = [];
  const many = addresses(20_000);
  const { set, readBack } = fixture(
    async function* () {
      read.push("whole");
      yield [...many, C].map((prefix) => entry(prefix));
    },
    async function* (_name, prefixes) {
      read.push(`of ${prefixes.count}`);
      yield many.map((prefix) => entry(prefix));
    },
  );
  const [columns] = prefixColumns(many);
  assert.ok(columns);
  const likely = { count: columns.count, columns: () => columns };
  assert.equal((await readBack.read(set, { likely, entries: 20_000 })).size, 20_000);
  assert.deepEqual(read, ["of 20000"]);
  assert.ok((await readBack.read(set, { likely, entries: 20_001 })).has(C));
  assert.deepEqual(read, ["of 20000", "of 20000", "whole"]);
});

function fixture(
  readSet: () => AsyncIterable<readonly KernelEntry[]>,
  readEntries?: NonNullable<Backend["readEntries"]>,
) {
  const sets = createSetRegistry(parseDigestKey(new Uint8Array(16)));
  const set = sets.local[4];
  const backend = { readSet, ...(readEntries && { readEntries }) };
  const readBack = createReadBack({ backend, clock: createVirtualClock() });
  return { set, readBack, compare: (hasForeign = false) => readBack.compare(set, hasForeign) };
}

function apply(set: ReturnType<typeof fixture>["set"], remove: readonly Prefix[], add: readonly Prefix[]): void {
  for (const prefix of remove) set.entries.remove(prefix);
  for (const prefix of add) set.entries.put(prefix, 900);
  for (const prefix of [...remove, ...add]) set.touched?.add(prefix);
}

function entry(prefix: Prefix, timeoutSeconds = 900): KernelEntry {
  return { prefix, timeoutSeconds, packets: 0, bytes: 0 };
}
