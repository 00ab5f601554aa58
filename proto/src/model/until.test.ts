import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type UnixSeconds, unixSeconds } from "./time.ts";
import { isExpired, laterUntil, MAX_UNTIL, OPEN_ENDED, secondsLeft, untilAfter } from "./until.ts";

const moment: fc.Arbitrary<UnixSeconds> = fc.integer({ min: 1, max: MAX_UNTIL }).map(unixSeconds);
const until = fc.oneof(fc.constant(OPEN_ENDED), moment);

test("what is open-ended never expires and outlasts everything", () => {
  fc.assert(
    fc.property(until, moment, (end, now) => {
      assert.equal(isExpired(OPEN_ENDED, now), false);
      assert.equal(laterUntil(OPEN_ENDED, end), OPEN_ENDED);
      assert.equal(secondsLeft(OPEN_ENDED, now), Number.POSITIVE_INFINITY);
    }),
  );
});

test("the later of two ends expires last, in whatever order they come", () => {
  fc.assert(
    fc.property(until, until, moment, (one, other, now) => {
      const later = laterUntil(one, other);
      assert.equal(laterUntil(other, one), later);
      assert.equal(isExpired(later, now), isExpired(one, now) && isExpired(other, now));
    }),
  );
});

test("an end is expired at its own second, with nothing left", () => {
  assert.equal(isExpired(unixSeconds(100), unixSeconds(99)), false);
  assert.equal(secondsLeft(unixSeconds(100), unixSeconds(99)), 1);
  assert.equal(isExpired(unixSeconds(100), unixSeconds(100)), true);
  assert.equal(secondsLeft(unixSeconds(100), unixSeconds(107)), 0);
});

test("an end that columns can't hold is open-ended", () => {
  const now = unixSeconds(1_800_000_000);
  assert.equal(untilAfter(now, 60), 1_800_000_060);
  assert.equal(untilAfter(now, 0), OPEN_ENDED);
  assert.equal(untilAfter(now, MAX_UNTIL - now), MAX_UNTIL);
  assert.equal(untilAfter(now, MAX_UNTIL - now + 1), OPEN_ENDED);
});
