/** Generators of model values for tests: few addresses, so that they meet, overlap and are removed again. */
import fc from "fast-check";
import { type DigestKey, parseDigestKey } from "./digest.ts";
import { type Listing, listNo, rank } from "./listing.ts";
import { type Prefix, prefixOf } from "./prefix.ts";
import { maskWord } from "./prefix-words.ts";
import { unixSeconds } from "./time.ts";

export const keyFixture: DigestKey = parseDigestKey(Uint8Array.from({ length: 16 }, (_, index) => index));
export const listFixture = listNo(2);

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const wordsOfV6 = fc.tuple(uint32, uint32, uint32, uint32);

/** Any prefix of either family and any length, without host bits. */
export const anyPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc.tuple(uint32, lengths(32)).map(([a, length]) => masked(4, length, [a, 0, 0, 0])),
  fc.tuple(wordsOfV6, lengths(128)).map(([words, length]) => masked(6, length, words)),
);

/** From a small pool: the same ones come again. */
export const poolPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc.tuple(fc.nat(40), lengths(32)).map(([host, length]) => masked(4, length, [0xc0000200 + host, 0, 0, 0])),
  fc.tuple(fc.nat(40), lengths(128)).map(([host, length]) => masked(6, length, [0x20010db8, 0, 0, host])),
);

export function listingOver(prefixes: fc.Arbitrary<Prefix>): fc.Arbitrary<Listing> {
  const parts = {
    prefix: prefixes,
    until: fc.oneof(fc.constantFrom(0, 1_800_000_000, 0xffffffff), uint32).map(unixSeconds),
    rank: fc.integer({ min: 0, max: 255 }).map(rank),
    begun: fc.constantFrom(0, 0, 1_790_000_000).map(unixSeconds),
  };
  return fc.record(parts, { noNullPrototype: true }); // else deepEqual finds every listing different
}

export const anyListing = listingOver(anyPrefix);

/** Listings in no order, one a prefix. */
export function listingsOver(prefixes: fc.Arbitrary<Prefix>, maxLength = 60): fc.Arbitrary<Listing[]> {
  return fc.uniqueArray(listingOver(prefixes), { selector: ({ prefix }) => prefix, maxLength });
}

export function listingFixture(prefix: Prefix, change: Partial<Listing> = {}): Listing {
  return { prefix, until: unixSeconds(1_800_000_000), rank: rank(2), begun: unixSeconds(0), ...change };
}

function lengths(max: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(max), fc.integer({ min: 0, max }));
}

function masked(family: 4 | 6, length: number, words: readonly [number, number, number, number]): Prefix {
  const [a = 0, b = 0, c = 0, d = 0] = words.map((word, index) => (word & maskWord(length, index)) >>> 0);
  return prefixOf({ family, length, a, b, c, d });
}
