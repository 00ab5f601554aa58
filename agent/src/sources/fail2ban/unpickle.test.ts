import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fail2banError } from "./fail2ban-error.ts";
import { pickleRequest } from "./pickle-request.ts";
import { unpickle } from "./unpickle.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

// Written by Python 3.11: pickle.dumps(value, protocol).
const SAMPLES: readonly [string, string, unknown][] = [
  ["(0, 'pong')", "8004950c000000000000004b008c04706f6e679486942e", [0, "pong"]],
  [
    "[1, 300, 70000, -1, True, None]",
    "80049516000000000000005d94284b014d2c014a701101004affffffff884e652e",
    [1, 300, 70_000, -1, true, null],
  ],
  ["1.5, protocol 2", "8002473ff80000000000002e", 1.5],
  ["2**40 and -2**40", "80049513000000000000008a060000000000018a060000000000ff86942e", [2 ** 40, -(2 ** 40)]],
  ["2**100", "80049510000000000000008a0d000000000000000000000000102e", 2n ** 100n],
  [
    "{'sshd': ['192.0.2.1']}",
    "8004951a000000000000007d948c0473736864945d948c093139322e302e322e319461732e",
    new Map([["sshd", ["192.0.2.1"]]]),
  ],
];

for (const [name, bytes, value] of SAMPLES) {
  test(`reads ${name}`, () => assert.deepEqual(unpickle(hex(bytes)), value));
}

test("an exception stays a name and its arguments; nothing is made of it", () => {
  const refused = hex(
    "80 04 4b 01 8c 08 6275696c74696e73 94 8c 0a 56616c75654572726f72 94 93 94 8c 07 6e6f206a61696c 94 85 94 52 94 86 94 2e",
  );
  assert.deepEqual(unpickle(refused), [1, { opaque: "builtins.ValueError", parts: ["no jail"] }]);
});

test("an address, which Python is told to make a text of, is that text", () => {
  const address = hex(
    "80 04 8c 08 6275696c74696e73 94 8c 03 737472 94 93 94 8c 09 3139322e302e322e31 94 85 94 52 94 2e",
  );
  assert.equal(unpickle(address), "192.0.2.1");
});

test("a request reads back as its words", () => {
  const word = fc.string({ unit: "binary", maxLength: 300 }).filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      assert.deepEqual(unpickle(pickleRequest(words)), words);
    }),
  );
});

test("any bytes at all are a value or an error that says so, never anything else", () => {
  const operations = fc.constantFrom(
    ...hex("80954e88894b4d4a478a8c588d43425d7d298f2874858687616590737594717268 6a3093635281622e"),
  );
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.array(operations, { maxLength: 60 }));
  fc.assert(
    fc.property(bytes, (given) => {
      try {
        unpickle(Buffer.from(given));
      } catch (error) {
        assert.ok(error instanceof Fail2banError && error.code === "fail2ban-garbled", String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a damaged answer is garbled, not half believed", () => {
  const whole = hex(SAMPLES[5]![1]);
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => unpickle(whole.subarray(0, length)), { code: "fail2ban-garbled" });
  }
});
