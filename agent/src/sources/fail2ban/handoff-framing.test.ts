import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Framed } from "../follow/framing.ts";
import { createHandoffFraming, type HandoffFields } from "./handoff-framing.ts";

/** Jail, id and failure id may hold anything but NUL, the marks themselves included; fail2ban writes the others itself. */
const value = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\0", "")),
  fc.constantFrom("FLEETBAN1", "FLEETBAN2", "END", "xFLEETBAN1", "", "-1", `we"ird $(x)\n'y'`),
);
const text = fc.oneof(value, fc.constantFrom("tcp", "ssh,2222", "0:65535"));
const number = fc.constantFrom("", "0", "1", "-1", "600", "1795244229.5502784", "<bancount>");
const values = fc
  .tuple(fc.constantFrom("ban", "unban", "start"), value, value, value, fc.constantFrom("inet4", "inet6", "None", ""))
  .chain((head) => fc.array(number, { minLength: 5, maxLength: 5 }).map((tail) => [...head, ...tail]));
const short = values.map((fields): HandoffFields => ["FLEETBAN1", ...fields, "END"]);
const long = fc
  .tuple(values, text, text, value)
  .map(([fields, ...more]): HandoffFields => ["FLEETBAN2", ...fields, ...more, "END"]);
const record = fc.oneof(short, long);
/** Two by the same action. */
const pair = fc.oneof(fc.tuple(short, short), fc.tuple(long, long));
const records = fc.array(record, { maxLength: 6 });
const part = fc.double({ min: 0, max: 0.999, noNaN: true });

const bytesOf = (fields: HandoffFields) => Buffer.from(fields.map((field) => `${field}\0`).join(""));

/** Fed in pieces, as the reads happen to come. */
function frame(bytes: Buffer, cuts: readonly number[] = [], offset = 0): readonly Framed<HandoffFields>[] {
  const framing = createHandoffFraming(offset);
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.flatMap((end, at) => framing.push(Buffer.from(bytes.subarray(ends[at - 1] ?? 0, end))));
}

const fieldsOf = (framed: readonly Framed<HandoffFields>[]) => framed.map(({ record: fields }) => fields);

test("however the bytes are cut into reads, the records and their ends are the same", () => {
  fc.assert(
    fc.property(records, fc.array(fc.nat(5_000), { maxLength: 8 }), fc.nat(1_000_000), (written, cuts, offset) => {
      const framed = frame(Buffer.concat(written.map(bytesOf)), cuts, offset);
      assert.deepEqual(fieldsOf(framed), written);
      let end = offset;
      const ends = written.map((fields) => {
        end += bytesOf(fields).length;
        return end;
      });
      assert.deepEqual(
        framed.map((one) => one.end),
        ends,
      );
    }),
  );
});

test("a torn record never costs the good one behind it", () => {
  fc.assert(
    fc.property(records, pair, part, (before, [torn, good], at) => {
      const whole = bytesOf(torn);
      const bytes = Buffer.concat([
        ...before.map(bytesOf),
        whole.subarray(0, Math.floor(whole.length * at)),
        bytesOf(good),
      ]);
      assert.deepEqual(fieldsOf(frame(bytes)), [...before, good]);
    }),
  );
});

test("a torn record whose values look like one is not believed", () => {
  const empty = ["", "", "", "", ""];
  const torn = ["FLEETBAN2", "ban", "FLEETBAN1", "a", "", "inet4", ...empty, "tcp", "tcp", "END", "END"];
  const good: HandoffFields = ["FLEETBAN1", "ban", "sshd", "192.0.2.1", "", "", ...empty, "END"];
  const bytes = Buffer.concat([bytesOf(torn.slice(0, -1)), bytesOf(good)]);
  assert.deepEqual(fieldsOf(frame(bytes)), [good]);
});

test("somebody else's bytes are passed over", () => {
  const junk = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(junk, record, junk, record, (first, one, second, two) => {
      const isClean = [first, second].every((bytes) => !bytes.includes("FLEETBAN"));
      fc.pre(isClean);
      const bytes = Buffer.concat([first, bytesOf(one), second, bytesOf(two)]);
      assert.deepEqual(fieldsOf(frame(bytes)), [one, two]);
    }),
  );
});

test("a record that is not whole yet waits for its end", () => {
  const fields: HandoffFields = ["FLEETBAN1", "ban", "sshd", "192.0.2.1", "", "", "1.0", "600", "3", "1", "0", "END"];
  const bytes = bytesOf(fields);
  const framing = createHandoffFraming(0);
  assert.deepEqual(framing.push(bytes.subarray(0, bytes.length - 1)), []);
  assert.deepEqual(framing.push(bytes.subarray(bytes.length - 1)), [{ record: fields, end: bytes.length }]);
});

test("what looks like a record and never ends does not fill the memory", () => {
  const framing = createHandoffFraming(0);
  for (let megabyte = 0; megabyte < 4; megabyte += 1) framing.push(Buffer.alloc(1 << 20, "FLEETBAN1\0x"));
  const good: HandoffFields = ["FLEETBAN1", "ban", ...Array.from({ length: 9 }, () => "v"), "END"];
  const framed = framing.push(Buffer.concat([Buffer.alloc(9_000, "y"), bytesOf(good)]));
  assert.deepEqual(fieldsOf(framed), [good]);
});
