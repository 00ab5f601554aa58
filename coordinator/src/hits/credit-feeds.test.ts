import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { creditFeeds } from "./credit-feeds.ts";

const [A, B] = [1, 2];
const packets = (count: number) => ({ packets: count, bytes: count * 60 });

test("what is named goes to the feeds that name it, in equal parts", () => {
  const named = [
    { feeds: [A], ...packets(10) },
    { feeds: [A, B], ...packets(4) },
  ];
  const credit = creditFeeds(packets(14), named, new Map([[B, 100]]));
  assert.deepEqual([...credit].sort(), [
    [A, packets(12)],
    [B, packets(2)],
  ]);
});

test("the rest goes by listings, and where one feed has a rank to itself all of it", () => {
  assert.deepEqual([...creditFeeds(packets(40), [], new Map([[A, 7]]))], [[A, packets(40)]]);
  const shares = new Map([
    [A, 300],
    [B, 100],
  ]);
  assert.deepEqual([...creditFeeds(packets(50), [{ feeds: [B], ...packets(10) }], shares)].sort(), [
    [A, packets(30)],
    [B, packets(20)],
  ]);
});

test("without a feed it is nobody's", () => {
  assert.deepEqual([...creditFeeds(packets(3), [], new Map())], [[0, packets(3)]]);
});

test("the parts are whole, never negative, and add up to the total, even of one who names more than there was", () => {
  const count = fc.nat(Number.MAX_SAFE_INTEGER);
  const counts = fc.record({ packets: count, bytes: count });
  const feed = fc.integer({ min: 1, max: 5 });
  const named = fc.tuple(fc.uniqueArray(feed), counts).map(([feeds, sum]) => ({ feeds, ...sum }));
  const shares = fc.dictionary(feed.map(String), fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(counts, fc.array(named, { maxLength: 5 }), shares, (total, names, byFeed) => {
      const credit = creditFeeds(total, names, new Map(Object.entries(byFeed).map(([one, share]) => [+one, share])));
      for (const unit of ["packets", "bytes"] as const) {
        const parts = [...credit.values()].map((part) => part[unit]);
        assert.ok(parts.every((part) => Number.isSafeInteger(part) && part >= 0));
        assert.equal(
          parts.reduce((sum, part) => sum + part, 0),
          total[unit],
        );
      }
    }),
  );
});
