import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRecord, type SpoolRecord, scanRecords } from "./record.ts";
import { sightingFixture } from "./sighting.fixture.ts";

const INCARNATION = "00112233445566778899aabbccddeeff";

const record = fc
  .record({
    number: fc.nat(60_000),
    jail: fc.string({ unit: "binary", maxLength: 64 }),
    evidence: fc.uint8Array({ maxLength: 1_024 }),
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    isPlaced: fc.boolean(),
  })
  .map(
    ({ number, jail, evidence, seq, isPlaced }): SpoolRecord => ({
      kind: "sighting",
      incarnation: INCARNATION,
      seq,
      sighting: sightingFixture(number, { jail, evidence }),
      position: isPlaced ? { source: "handoff", file: "1:2:3", value: String(seq) } : undefined,
    }),
  );
const records = fc.array(record, { minLength: 1, maxLength: 8 });

function scan(bytes: Buffer): readonly SpoolRecord[] {
  return [...scanRecords(bytes)].map((placed) => placed.record);
}

test("what is written is read back", () => {
  fc.assert(
    fc.property(records, (written) => assert.deepEqual(scan(Buffer.concat(written.map(encodeRecord))), written)),
  );
});

test("a torn tail takes nothing from the records before it", () => {
  fc.assert(
    fc.property(records, record, fc.double({ min: 0, max: 0.999, noNaN: true }), (written, last, part) => {
      const torn = encodeRecord(last);
      const bytes = Buffer.concat([...written.map(encodeRecord), torn.subarray(0, Math.floor(torn.length * part))]);
      assert.deepEqual(scan(bytes), written);
    }),
  );
});

test("one damaged byte loses the record that it lies in, and no other", () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, at, flip) => {
      const parts = written.map(encodeRecord);
      const bytes = Buffer.concat(parts);
      const offset = at % bytes.length;
      bytes[offset] = bytes[offset]! ^ flip;
      const ends = parts.map((_, index) => Buffer.concat(parts.slice(0, index + 1)).length);
      const hit = ends.findIndex((end) => offset < end);
      assert.deepEqual(
        scan(bytes),
        written.filter((_, index) => index !== hit),
      );
    }),
  );
});

test("bytes that are no record are passed over, and the record behind them is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), record, (junk, written) => {
      assert.deepEqual(scan(Buffer.concat([junk, Buffer.from("FbS1"), encodeRecord(written)])), [written]);
    }),
  );
});

test("a record larger than one may be is refused, with its size", () => {
  const sighting = sightingFixture(1, { evidence: new Uint8Array(20_000) });
  const tooLarge: SpoolRecord = { kind: "sighting", incarnation: INCARNATION, seq: 1, sighting, position: undefined };
  assert.throws(() => encodeRecord(tooLarge), { code: "spool-too-large", message: /record of 2\d{4} bytes/ });
});
