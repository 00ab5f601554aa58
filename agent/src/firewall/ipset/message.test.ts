import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import { addsIn } from "../add-run.ts";
import { add, remove } from "../conformance.fixture.ts";
import { AttributeWriter } from "./attributes.ts";
import {
  createRequest,
  dumpRequest,
  entriesRequest,
  headersRequest,
  runRequest,
  swapRequest,
  testRequest,
} from "./message.ts";

// As the program sends them (strace of ipset 7.17), but for flags, sequence and line numbers; on little-endian machines.
const NAME = "05000100 07000000" + " 06000200 74000000"; // protocol 7, set "t"

test("a set is created with its type, revision, family, sizes, timeouts and counters", () => {
  const writer = new AttributeWriter();
  const bytes = createRequest(writer, { name: "t", family: 6, maxEntries: 1_000 }, 7);
  equalBytes(
    bytes,
    "68000000 0206 0506 01000000 00000000 02000000",
    NAME,
    "0d000300 686173683a6e6574 00000000", // hash:net
    "05000400 07000000 05000500 0a000000", // revision 7, AF_INET6
    // hashsize 512, maxelem 1000, timeout 0, counters
    "24000780 08001240 00000200 08001340 000003e8 08000640 00000000 08000840 00000008",
  );
});

test("a swap names both sets", () => {
  equalBytes(
    swapRequest(new AttributeWriter(), "t", "u"),
    "2c000000 0606 0500 01000000 00000000 02000000",
    NAME,
    "06000300 75000000",
  );
});

test("headers are asked for of all sets or of one, entries of one", () => {
  equalBytes(
    headersRequest(new AttributeWriter()),
    "24000000 0706 0503 01000000 00000000 02000000 05000100 07000000",
    "08000640 00000004",
  );
  equalBytes(dumpRequest(new AttributeWriter(), "t"), "24000000 0706 0503 01000000 00000000 02000000", NAME);
});

test("a test asks for one prefix, as a record of its own", () => {
  equalBytes(
    testRequest(new AttributeWriter(), "t", parsePrefix("1.2.3.0/24")),
    "3c000000 0b06 0500 01000000 00000000 02000000",
    NAME,
    "18000780 0c000180 08000140 01020300 05000300 18000000",
  );
});

test("entries carry address, length unless single, timeout and their line", () => {
  const ops = [add("t", "1.2.3.4", 600), add("t", "2a00::/32", 0)];
  const { bytes, count } = entriesRequest(new AttributeWriter(), ops, 0, 1_000);
  assert.equal(count, 2);
  equalBytes(
    bytes,
    "84000000 0906 0500 01000000 00000000 02000000",
    NAME,
    "08000940 00000000", // line 0: the message itself
    "58000880",
    "20000780 0c000180 08000140 01020304 08000640 00000258 08000940 00000001",
    "34000780 18000180 14000240 2a000000 00000000 00000000 00000000 05000300 20000000",
    "08000640 00000000 08000940 00000002",
  );
});

test("removing names no timeout", () => {
  const { bytes } = entriesRequest(new AttributeWriter(), [remove("t", "1.2.3.4")], 0, 1);
  equalBytes(
    bytes,
    "48000000 0a06 0500 01000000 00000000 02000000",
    NAME,
    "08000940 00000000 1c000880",
    "18000780 0c000180 08000140 01020304 08000940 00000001",
  );
});

test("one message holds ops of one kind on one set, up to the number asked for", () => {
  const ops = [add("t", "1.0.0.1"), add("t", "1.0.0.2"), add("u", "1.0.0.3"), remove("u", "1.0.0.3")];
  const counts = [0, 1, 2, 3].map((from) => entriesRequest(new AttributeWriter(), ops, from, 1_000).count);
  assert.deepEqual(counts, [2, 1, 1, 1]);
  assert.equal(entriesRequest(new AttributeWriter(), ops, 0, 1).count, 1);
});

test("a message of the largest entries stays within 64 KB", () => {
  const ops = Array.from({ length: 2_000 }, (_, at) =>
    add("fleetban-a-very-long-name-n-v6", `2a00:${at.toString(16)}::/64`),
  );
  const { bytes, count } = entriesRequest(new AttributeWriter(), ops, 0, 5_000);
  assert.ok(bytes.length <= 65_535, `${bytes.length} bytes`);
  assert.ok(count > 1_000);
});

function equalBytes(bytes: Uint8Array, ...hex: readonly string[]): void {
  assert.equal(Buffer.from(bytes).toString("hex"), hex.join("").replaceAll(" ", ""));
}

test("a run is the same bytes as its adds as ops, message by message", () => {
  const prefixes = ["1.2.3.4", "1.2.4.0/24", "2a00::/32", "2a00:1::7"].map((text) => parsePrefix(text));
  for (const columns of prefixColumns(prefixes)) {
    const run = { set: "t", columns, timeouts: Uint32Array.of(600, 4_000_000) };
    const ops = [...addsIn(run)];
    for (const [from, most] of [
      [0, 1_000],
      [0, 1],
      [1, 1_000],
    ] as const) {
      const [one, other] = [
        runRequest(new AttributeWriter(), run, from, most),
        entriesRequest(new AttributeWriter(), ops, from, most),
      ];
      assert.deepEqual(one, other);
    }
  }
});

test("a run that is too long for a message ends with it", () => {
  const count = 5_000;
  const columns = {
    family: 6,
    count,
    words: new Uint32Array(4 * count),
    lengths: new Uint8Array(count).fill(64),
  } as const;
  const { bytes, count: taken } = runRequest(
    new AttributeWriter(),
    { set: "t", columns, timeouts: new Uint32Array(count) },
    0,
    count,
  );
  assert.ok(taken > 1_000 && taken < count && bytes.length < 65_536, `${taken} entries in ${bytes.length} bytes`);
});
