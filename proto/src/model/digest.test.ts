import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addDigest,
  bucketOf,
  bucketOfPrefix,
  type Digest,
  DigestSum,
  digestFromBytes,
  digestOfListing,
  digestToBytes,
  EMPTY_DIGEST,
  kernelDigestOf,
  parseDigestKey,
  subtractDigest,
} from "./digest.ts";
import { anyListing, anyPrefix, keyFixture, listFixture, listingFixture } from "./listing.fixture.ts";
import { type Listing, listNo, rank } from "./listing.ts";
import { bytesOf, familyOf, lengthOf, type Prefix, parsePrefix } from "./prefix.ts";
import { sipHash128 } from "./siphash.ts";
import { unixSeconds } from "./time.ts";

const digest = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }) as unknown as fc.Arbitrary<Digest>;

test("a listing's digest is SipHash over the tuple of the protocol", () => {
  fc.assert(
    fc.property(anyListing, (listing) => {
      const { prefix, rank: listingRank, until } = listing;
      assert.equal(digestOfListing(keyFixture, listFixture, listing), hashOf(tupleOf(1, prefix, listingRank, until)));
      assert.equal(kernelDigestOf(keyFixture, listFixture, prefix), hashOf(tupleOf(2, prefix, 0, 0)));
    }),
  );
});

test("a digest is recorded: changing the tuple would part a fleet", () => {
  const v4 = listingFixture(parsePrefix("192.0.2.7"));
  const v6 = listingFixture(parsePrefix("2001:db8::/48"), { rank: rank(5), until: unixSeconds(0) });
  assert.equal(hex(digestOfListing(keyFixture, listFixture, v4)), "b28596f89363d98554ff3fb1205b89dc");
  assert.equal(hex(digestOfListing(keyFixture, listFixture, v6)), "3f4166b52f81dcf5f4dbd03bc930c267");
  assert.equal(hex(kernelDigestOf(keyFixture, listFixture, v4.prefix)), "f7cdb41905bbabda0582752f043f30f3");
});

test("every part of a listing counts, and list and key", () => {
  const listing = listingFixture(parsePrefix("192.0.2.0/24"));
  const other = parseDigestKey(Uint8Array.from({ length: 16 }, () => 7));
  const digests = [
    digestOfListing(keyFixture, listFixture, listing),
    digestOfListing(keyFixture, listFixture, { ...listing, rank: rank(3) }),
    digestOfListing(keyFixture, listFixture, { ...listing, until: unixSeconds(1_800_000_001) }),
    digestOfListing(keyFixture, listFixture, { ...listing, prefix: parsePrefix("192.0.2.0/25") }),
    digestOfListing(keyFixture, listFixture, { ...listing, prefix: parsePrefix("192.0.3.0/24") }),
    digestOfListing(keyFixture, listNo(3), listing),
    digestOfListing(other, listFixture, listing),
    kernelDigestOf(keyFixture, listFixture, listing.prefix),
  ];
  assert.equal(new Set(digests).size, digests.length);
});

test("a sum does not depend on order, and taking away undoes adding", () => {
  fc.assert(
    fc.property(fc.array(anyListing), fc.array(anyPrefix), (listings, entries) => {
      const sum = new DigestSum(keyFixture, listFixture);
      for (const listing of listings) sum.addListing(listing);
      for (const entry of entries) sum.addEntry(entry);
      const one = [
        ...listings.map((listing) => digestOfListing(keyFixture, listFixture, listing)),
        ...entries.map((entry) => kernelDigestOf(keyFixture, listFixture, entry)),
      ].reverse();
      assert.equal(sum.digest, one.reduce(addDigest, EMPTY_DIGEST));
      for (const listing of listings) sum.removeListing(listing);
      for (const entry of entries) sum.removeEntry(entry);
      assert.equal(sum.digest, EMPTY_DIGEST);
    }),
  );
});

test("digests add modulo 2^128 and travel as 16 bytes", () => {
  fc.assert(
    fc.property(digest, digest, (a, b) => {
      assert.equal(addDigest(a, b), (a + b) % (1n << 128n));
      assert.equal(subtractDigest(addDigest(a, b), b), a);
      assert.equal(digestFromBytes(digestToBytes(a)), a);
      assert.equal(digestToBytes(a).length, 16);
      assert.equal(bucketOf(a), digestToBytes(a)[0]);
      assert.equal(new DigestSum(keyFixture, listFixture, a).digest, a);
    }),
  );
  assert.throws(() => digestFromBytes(new Uint8Array(15)), /15 bytes/);
  assert.throws(() => parseDigestKey(new Uint8Array(17)), /17 bytes/);
});

test("the bucket straight from a prefix is that of its digest", () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      const bucket = bucketOfPrefix(keyFixture, listFixture, prefix);
      assert.equal(bucket, bucketOf(kernelDigestOf(keyFixture, listFixture, prefix)));
    }),
  );
});

/** PROTOCOL §4, little-endian: kind, family, length, rank, list, until, address. */
function tupleOf(kind: number, prefix: Prefix, tupleRank: Listing["rank"] | 0, until: number): Buffer {
  const tuple = Buffer.alloc(familyOf(prefix) === 4 ? 24 : 32);
  tuple.set([kind, familyOf(prefix), lengthOf(prefix), tupleRank]);
  tuple.writeUInt32LE(listFixture, 4);
  tuple.writeBigUInt64LE(BigInt(until), 8);
  tuple.set(bytesOf(prefix), 16);
  return tuple;
}

function hashOf(tuple: Buffer): bigint {
  const key = Uint8Array.from({ length: 16 }, (_, index) => index); // that of keyFixture
  const hash = Buffer.from(sipHash128(key, tuple));
  return hash.readBigUInt64LE(0) | (hash.readBigUInt64LE(8) << 64n);
}

function hex(value: Digest): string {
  return value.toString(16).padStart(32, "0");
}
