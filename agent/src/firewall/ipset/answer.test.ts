import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answerIn, entriesIn, headersIn } from "./answer.ts";

const SEQUENCE = 7;

test("an acknowledgement is error 0", () => {
  assert.deepEqual(answerIn(bytesOf("24000000 0200 0000 07000000 00000000 00000000", REFUSED_HEADER), SEQUENCE), {
    errno: 0,
    line: 0,
  });
});

test("a refusal tells the error and the line, which stands in the repeated message", () => {
  const refused = `2c000000 0906 0500 07000000 00000000 02000000 05000100 07000000 06000200 74000000 08000940 0000002a`;
  const datagram = bytesOf("40000000 0200 0000 07000000 00000000 00efffff", refused);
  assert.deepEqual(answerIn(datagram, SEQUENCE), { errno: 4_352, line: 42 });
});

test("an answer to another request is none", () => {
  assert.equal(answerIn(bytesOf("24000000 0200 0000 06000000 00000000 ffffffff", REFUSED_HEADER), SEQUENCE), undefined);
});

test("the end of a dump is an answer", () => {
  assert.deepEqual(answerIn(bytesOf("14000000 0300 0200 07000000 00000000 00000000"), SEQUENCE), { errno: 0, line: 0 });
});

test("a header is read as the kernel sends it", () => {
  // strace of `ipset list -t` (7.17, Linux 6.18): set "u", hash:net inet, maxelem 2, two elements, timeouts.
  const datagram = bytesOf(
    "90000000 0706 0200 07000000 00000000 02000000 05000100 07000000 06000200 75000000",
    "0d000300 686173683a6e6574 00000000 05000500 02000000 05000400 07000000 06000b40 00010000",
    "44000780 08001240 00000040 08001340 00000002 05001500 0c000000 08001140 4e71cbd0",
    "08001940 00000003 08001a40 00000248 08001840 00000002 08000640 00000000",
  );
  assert.deepEqual(
    [...headersIn(datagram)],
    [{ name: "u", type: "hash:net", family: 4, maxEntries: 2, entries: 2, references: 3, hasTimeouts: true }],
  );
});

test("entries are read with length and timeout, IPv4 and IPv6", () => {
  const datagram = bytesOf(
    "7c000000 0706 0200 07000000 00000000 02000000 05000100 07000000 06000200 74000000",
    "58000880",
    "20000780 0c000180 08000140 01020300 05000300 18000000 08000640 00000258",
    "34000780 18000180 14000240 2a000000 00000000 00000000 00000000 05000300 20000000",
    "08000640 00000000 08000840 00000000",
  );
  assert.deepEqual(entriesIn(datagram), [
    { prefix: "1.2.3.0/24", timeoutSeconds: 600, packets: 0, bytes: 0 },
    { prefix: "2a00::/32", timeoutSeconds: 0, packets: 0, bytes: 0 },
  ]);
});

test("an entry's counters are read, 64 bits wide", () => {
  const datagram = bytesOf(
    "50000000 0706 0200 07000000 00000000 02000000 05000100 07000000 06000200 74000000",
    "2c000880 28000780 0c000180 08000140 01020304 0c001840 0000000100000000 0c001940 0000000000000007",
  );
  assert.deepEqual(entriesIn(datagram), [{ prefix: "1.2.3.4", timeoutSeconds: 0, packets: 7, bytes: 4_294_967_296 }]);
});

test("cut and garbled datagrams lead nowhere outside themselves", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      answerIn(bytes, SEQUENCE);
      [...headersIn(bytes)];
    }),
  );
});

const REFUSED_HEADER = "24000000 0906 0500 07000000 00000000";

function bytesOf(...hex: readonly string[]): Uint8Array {
  return Buffer.from(hex.join("").replaceAll(" ", ""), "hex");
}
