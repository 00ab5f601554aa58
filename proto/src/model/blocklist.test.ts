import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Blocklist } from "./blocklist.ts";
import { blocklistOf, sumInSlices } from "./blocklist-columns.ts";
import { addDigest, digestOfListing, EMPTY_DIGEST } from "./digest.ts";
import {
  anyPrefix,
  keyFixture,
  listFixture,
  listingFixture,
  listingOver,
  listingsOver,
  poolPrefix,
} from "./listing.fixture.ts";
import type { Listing } from "./listing.ts";
import { comparePrefixes, type Prefix, parsePrefix } from "./prefix.ts";
import { unixSeconds } from "./time.ts";

const name = { list: listFixture, key: keyFixture };

const act = fc.oneof(
  { weight: 3, arbitrary: listingOver(poolPrefix).map((listing) => ({ kind: "put" as const, listing })) },
  { weight: 2, arbitrary: poolPrefix.map((prefix) => ({ kind: "remove" as const, prefix })) },
);

test("a blocklist is a map from prefix to listing, whatever is put and removed", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 300, size: "max" }), (acts) => {
      const blocklist = new Blocklist(listFixture, keyFixture);
      const model = new Map<Prefix, Listing>();
      for (const step of acts) {
        const prefix = step.kind === "put" ? step.listing.prefix : step.prefix;
        const before = step.kind === "put" ? blocklist.put(step.listing) : blocklist.remove(prefix);
        assert.deepEqual(before, model.get(prefix));
        if (step.kind === "put") model.set(prefix, step.listing);
        else model.delete(prefix);
        assert.deepEqual(blocklist.get(prefix), model.get(prefix));
      }
      assertEqual(blocklist, [...model.values()]);
    }),
  );
});

test("a thousand neighbours and their removal in another order leave no trace", () => {
  const blocklist = new Blocklist(listFixture, keyFixture);
  const listings = Array.from({ length: 1_000 }, (_, host) => listingFixture(neighbour(host)));
  for (const listing of listings) blocklist.put(listing);
  assertEqual(blocklist, listings);
  for (const [index, { prefix }] of listings.toReversed().entries()) {
    assert.notEqual(blocklist.remove(prefix), undefined);
    assert.equal(blocklist.size, listings.length - index - 1);
    if (index % 100 === 0) assertEqual(blocklist, listings.slice(0, listings.length - index - 1));
  }
  assert.equal(blocklist.digest, EMPTY_DIGEST);
});

test("a clone is equal and stands on its own", () => {
  fc.assert(
    fc.property(listingsOver(poolPrefix), listingOver(anyPrefix), (listings, more) => {
      const blocklist = filled(listings);
      const clone = blocklist.clone();
      clone.put(more);
      for (const { prefix } of listings) clone.remove(prefix);
      assertEqual(blocklist, listings);
    }),
  );
});

test("sorted listings are in the order of the wire", () => {
  fc.assert(
    fc.property(fc.oneof(listingsOver(anyPrefix), listingsOver(poolPrefix)), (listings) => {
      const sorted = [...filled(listings).sorted()];
      assert.deepEqual(
        sorted,
        listings.toSorted((first, second) => comparePrefixes(first.prefix, second.prefix)),
      );
    }),
  );
});

test("from its own columns it comes back, with the digest summed or believed", () => {
  fc.assert(
    fc.property(listingsOver(anyPrefix), (listings) => {
      const blocklist = filled(listings);
      assertEqual(blocklistOf(name, blocklist.columns()), listings);
      assert.equal(blocklistOf(name, blocklist.columns(), EMPTY_DIGEST).digest, EMPTY_DIGEST);
    }),
  );
});

test("summing a long list gives way between slices", () => {
  const blocklist = new Blocklist(listFixture, keyFixture);
  for (let host = 0; host < 40_000; host += 1) blocklist.put(listingFixture(neighbour(host)));
  const slices = sumInSlices(name, blocklist.columns());
  let steps = 0;
  let step = slices.next();
  for (; step.done !== true; step = slices.next()) steps += 1;
  assert.equal(step.value, blocklist.digest);
  assert.equal(steps, 39); // 26,666 IPv4, then 13,334 IPv6, in slices of 1,024
});

test("a listing that columns can't hold is refused before anything changes", () => {
  const blocklist = new Blocklist(listFixture, keyFixture);
  for (const until of [-1, 0.5, 2 ** 32]) {
    assert.throws(
      () => blocklist.put(listingFixture(parsePrefix("192.0.2.7"), { until: unixSeconds(until) })),
      /must be 0 to/,
    );
  }
  assert.equal(blocklist.size, 0);
  assert.equal(blocklist.digest, EMPTY_DIGEST);
});

function filled(listings: readonly Listing[]): Blocklist {
  const blocklist = new Blocklist(listFixture, keyFixture);
  for (const listing of listings) blocklist.put(listing);
  return blocklist;
}

function assertEqual(blocklist: Blocklist, listings: readonly Listing[]): void {
  const byPrefix = (first: Listing, second: Listing) => comparePrefixes(first.prefix, second.prefix);
  assert.equal(blocklist.size, listings.length);
  assert.deepEqual([...blocklist.listings()].sort(byPrefix), listings.toSorted(byPrefix));
  const sum = listings.reduce(
    (digest, listing) => addDigest(digest, digestOfListing(keyFixture, listFixture, listing)),
    EMPTY_DIGEST,
  );
  assert.equal(blocklist.digest, sum);
  for (const listing of listings) {
    assert.deepEqual(blocklist.get(listing.prefix), listing);
    assert.equal(blocklist.has(listing.prefix), true);
  }
}

function neighbour(host: number): Prefix {
  return parsePrefix(host % 3 === 0 ? `2001:db8::${host.toString(16)}` : `10.1.${host >> 8}.${host & 255}`);
}
