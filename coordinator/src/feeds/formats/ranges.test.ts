import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, lengthOf, type Prefix, parsePrefix, prefixFromBytes } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { prefixesBetween } from "./ranges.ts";

test("a range becomes networks that follow one another, cover exactly it, and cannot be merged", () => {
  const bits = fc.constantFrom(32, 128);
  const ends = bits.chain((width) =>
    fc.tuple(
      fc.constant(width),
      fc.bigInt({ min: 0n, max: 2n ** BigInt(width) - 1n }),
      fc.bigInt({ min: 0n, max: 5_000n }),
    ),
  );
  fc.assert(
    fc.property(ends, ([width, first, span]) => {
      const most = 2n ** BigInt(width) - 1n;
      const last = first + span > most ? most : first + span;
      const prefixes = prefixesBetween(addressOf(first, width), addressOf(last, width)) ?? [];
      let at = first;
      for (const prefix of prefixes) {
        assert.equal(numberOf(prefix), at);
        at += 1n << BigInt(width - lengthOf(prefix));
      }
      assert.equal(at, last + 1n);
      for (const [index, prefix] of prefixes.entries()) {
        const next = prefixes[index + 1];
        const isPair = next !== undefined && lengthOf(next) === lengthOf(prefix);
        const size = 1n << BigInt(width - lengthOf(prefix));
        assert.ok(!isPair || (numberOf(prefix) / size) % 2n === 1n, `${prefix} and ${next} are one`);
      }
    }),
  );
});

test("ends of two families, networks and the wrong way round are no range", () => {
  for (const [first, last] of [
    ["45.1.1.1", "2a01::1"],
    ["45.1.1.0/24", "45.1.2.1"],
    ["45.1.1.2", "45.1.1.1"],
  ]) {
    assert.equal(prefixesBetween(parsePrefix(first!), parsePrefix(last!)), undefined);
  }
});

function addressOf(number: bigint, width: number): Prefix {
  return prefixFromBytes(Buffer.from(number.toString(16).padStart(width / 4, "0"), "hex"));
}

function numberOf(prefix: Prefix): bigint {
  return BigInt(`0x${Buffer.from(bytesOf(prefix)).toString("hex")}`);
}
