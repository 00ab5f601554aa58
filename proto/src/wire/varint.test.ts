import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSink, readUint32, readVarint, sinkBytes, writeUint32, writeVarint } from "./varint.ts";
import { WireError } from "./wire-error.ts";

const uint32 = fc.oneof(
  fc.constantFrom(0, 127, 128, 0xfffffff, 0x10000000, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const number128 = fc.tuple(uint32, uint32, uint32, uint32).map((words) => Uint32Array.from(words));

test("a number of 32 or of 128 bits comes back from its varint", () => {
  fc.assert(
    fc.property(fc.array(uint32), fc.array(number128), (small, large) => {
      const sink = createSink(0);
      for (const value of small) writeUint32(sink, value);
      for (const value of large) writeVarint(sink, value);
      const cursor = { part: "test", bytes: sinkBytes(sink), at: 0 };
      const words = new Uint32Array(4);
      assert.deepEqual(
        small.map(() => readUint32(cursor)),
        small,
      );
      for (const value of large) {
        readVarint(cursor, words);
        assert.deepEqual(words, value);
      }
      assert.equal(cursor.at, cursor.bytes.length);
    }),
  );
});

test("a varint is as long as its bits need, at most 5 or 19 bytes", () => {
  for (const [value, bytes] of [
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [0xffffffff, "ffffffff0f"],
  ] as const) {
    const sink = createSink(0);
    writeUint32(sink, value);
    assert.equal(sinkBytes(sink).toString("hex"), bytes);
  }
  const sink = createSink(0);
  writeVarint(sink, new Uint32Array(4).fill(0xffffffff));
  assert.equal(sink.used, 19);
});

test("a varint that is cut, too large or not in its shortest form is refused", () => {
  const damaged: readonly [string, number, RegExp][] = [
    ["", 1, /ends within/],
    ["80", 1, /ends within/],
    ["8000", 1, /shortest/],
    ["ff808000", 1, /shortest/],
    ["ffffffff1f", 1, /more than 32 bits/],
    ["ffffffffff01", 1, /more than 32 bits/],
    [`${"ff".repeat(18)}04`, 4, /more than 128 bits/],
    [`${"ff".repeat(19)}01`, 4, /more than 128 bits/],
  ];
  for (const [hex, size, fault] of damaged) {
    const cursor = { part: "test", bytes: Buffer.from(hex, "hex"), at: 0 };
    assert.throws(
      () => readVarint(cursor, new Uint32Array(size)),
      (error) => {
        assert.ok(error instanceof WireError);
        assert.match(error.message, fault);
        return true;
      },
    );
  }
});
