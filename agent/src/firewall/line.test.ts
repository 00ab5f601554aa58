import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rank } from "@fleetban/proto/model/listing";
import fc from "fast-check";
import { Histogram, isBelow, isHigher, type Line, nextLine } from "./line.ts";

const place = fc.record({ rank: fc.nat(9), bucket: fc.nat(255) });
const places = fc.array(place, { maxLength: 300, size: "max" });
const room = fc.record({ capacity: fc.integer({ min: 1, max: 200 }), reserve: fc.integer({ min: 1, max: 40 }) });
const line = fc.option(fc.record({ rank: fc.nat(9).map((rank) => rank as Rank), bucket: fc.nat(255) }), {
  nil: undefined,
});

test("what is below the line never exceeds capacity and reserve together", () => {
  fc.assert(
    fc.property(places, room, line, fc.boolean(), (all, given, old, mayGrow) => {
      const next = nextLine([histogramOf(all)], given, old, mayGrow);
      const below = all.filter(({ rank, bucket }) => isBelow(next, rank, () => bucket)).length;
      assert.ok(below <= given.capacity + given.reserve, `${below} below ${JSON.stringify(next)}`);
      assert.equal(histogramOf(all).countBelow(next), below);
    }),
  );
});

test("the best ranks fit first, and a bucket decides only within one rank", () => {
  fc.assert(
    fc.property(places, line, (all, given) => {
      for (const { rank, bucket } of all) {
        const isIn = isBelow(given, rank, () => bucket);
        if (given !== undefined && rank !== given.rank) assert.equal(isIn, rank < given.rank);
      }
    }),
  );
});

test("a line moves only for what it must or for a whole reserve, and then it stays", () => {
  fc.assert(
    fc.property(places, room, line, (all, given, old) => {
      const histogram = histogramOf(all);
      const next = nextLine([histogram], given, old, true);
      if (isHigher(next, old)) assert.ok(histogram.countBelow(next) - histogram.countBelow(old) >= given.reserve);
      if (isHigher(old, next)) assert.ok(histogram.countBelow(old) > given.capacity + given.reserve);
      assert.deepEqual(nextLine([histogram], given, next, true), next);
    }),
  );
});

test("the line of two lists is that of both together", () => {
  fc.assert(
    fc.property(places, places, room, (one, other, given) => {
      const apart = nextLine([histogramOf(one), histogramOf(other)], given, undefined, true);
      assert.deepEqual(apart, nextLine([histogramOf([...one, ...other])], given, undefined, true));
    }),
  );
});

test("all that fits is not cut", () => {
  const few: Line | undefined = nextLine(
    [histogramOf([{ rank: 3, bucket: 9 }])],
    { capacity: 1, reserve: 1 },
    undefined,
    true,
  );
  assert.equal(few, undefined);
});

function histogramOf(all: readonly { rank: number; bucket: number }[]): Histogram {
  const histogram = new Histogram();
  for (const { rank, bucket } of all) histogram.add(rank, bucket, 1);
  return histogram;
}
