import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";
import { seededRandom } from "./random.ts";

test("a wait lies between nothing and base × 2^attempt, and never above its bound", () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.nat(), (attempt, seed) => {
      const waitMs = backoffMs(attempt, seededRandom(seed), { baseMs: 100, maxMs: 30_000 });
      assert.ok(waitMs >= 0 && waitMs <= Math.min(30_000, 100 * 2 ** attempt));
    }),
  );
});

test("the draw is over the whole range, so that many who failed together spread", () => {
  const random = seededRandom(3);
  const waits = Array.from({ length: 1_000 }, () => backoffMs(20, random));
  assert.ok(Math.min(...waits) < 1_000 && Math.max(...waits) > 59_000);
  assert.equal(backoffMs(0, { bytes: random.bytes, unit: () => 0.999_999 }), 500);
});
