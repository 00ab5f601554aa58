import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { epochFromBytes, epochToBytes } from "./epoch.ts";
import { feedRank, RANK } from "./listing.ts";

test("a feed's rank goes from 3 at confidence 100 to 10 at 25 and below", () => {
  assert.deepEqual([100, 75, 50, 25, 0].map(feedRank), [3, 5, 8, 10, 10]);
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), (one, other) => {
      if (one > other) assert.ok(feedRank(one) <= feedRank(other));
      assert.ok(feedRank(one) >= RANK.feedHigh && feedRank(one) <= RANK.feedLow);
    }),
  );
});

test("an epoch is 16 bytes outside and hexadecimal text inside", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(Uint8Array.from(epochToBytes(epochFromBytes(bytes))), bytes);
    }),
  );
  assert.throws(() => epochFromBytes(new Uint8Array(8)), /8 bytes: must be 16/);
});
