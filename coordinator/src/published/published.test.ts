import assert from "node:assert/strict";
import { test } from "node:test";
import { finish } from "@fleetban/kit/slices";
import { type Listing, rank } from "@fleetban/proto/model/listing";
import { covers, lengthOf, type Prefix, parsePrefix, prefixOf } from "@fleetban/proto/model/prefix";
import { type ListingColumns, listingColumns, listingsOf } from "@fleetban/proto/model/sorted-columns";
import { unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { aggregate } from "./aggregate.ts";
import { bestRanks } from "./best-ranks.ts";
import { carve } from "./carve.ts";
import { mergeLists } from "./merge-lists.ts";

const NOW = unixSeconds(1_000);

test("a prefix on several lists is published once, with its best rank and latest end", () => {
  const fleet = columns("8.8.8.8 2 2000", "9.9.9.0/24 2 0");
  const feeds = columns("1.1.1.1 5 900", "8.8.8.8 5 3000", "9.9.9.0/24 3 5000", "9.9.9.9 3 5000");
  assert.deepEqual(rows(finish(mergeLists(4, [fleet, feeds], NOW))), [
    "8.8.8.8 2 3000",
    "9.9.9.0/24 2 0",
    "9.9.9.9 3 5000",
  ]);
});

test("a hole in a wider listing is cut out of it, and what lies in the hole goes", () => {
  const listings = columns("20.0.0.0/30 2 2000", "20.0.0.8/29 2 0", "20.0.0.9 0 0", "20.0.1.1 2 0");
  const holes = columns("20.0.0.2 0 0", "20.0.0.8/31 0 0", "20.0.0.9 0 0", "20.0.1.0/24 0 0");
  assert.deepEqual(rows(finish(carve(listings, holes)).columns), [
    "20.0.0.0/31 2 2000",
    "20.0.0.3 2 2000",
    "20.0.0.10/31 2 0",
    "20.0.0.12/30 2 0",
  ]);
});

test("a hole as wide as the listing, or wider, leaves nothing of it", () => {
  const listings = columns("20.0.0.0/24 2 0", "20.0.0.7 2 0");
  for (const hole of ["20.0.0.0/24 0 0", "20.0.0.0/8 0 0"]) {
    assert.deepEqual(rows(finish(carve(listings, columns(hole))).columns), []);
  }
});

test("IPv6 is carved alike", () => {
  const { columns: left } = finish(carve(columns6("2600::/62 2 0"), columns6("2600:0:0:1:: 0 0")));
  const prefixes = rows(left).map((row) => row.split(" ")[0] as Prefix);
  assert.equal(prefixes.length, 66);
  assert.ok(prefixes.every((prefix) => !covers(prefix, parsePrefix("2600:0:0:1::"))));
  assert.deepEqual([prefixes[0], prefixes[1], prefixes.at(-1)], ["2600::/64", "2600:0:0:1::1", "2600:0:0:2::/63"]);
});

test("after carving no address of a hole is left, and every other one of a listing is", () => {
  fc.assert(
    fc.property(prefixesIn16(), prefixesIn16(), (listed, exempted) => {
      const left = rows(finish(carve(columnsOf(listed), columnsOf(exempted))).columns);
      const covered = addressesOf(left.map((row) => row.split(" ")[0] as Prefix));
      const wanted = addressesOf(listed);
      for (const address of addressesOf(exempted)) wanted.delete(address);
      assert.deepEqual([...covered].sort(), [...wanted].sort());
    }),
  );
});

test("aggregated, the same addresses are covered by the fewest networks, none in another", () => {
  fc.assert(
    fc.property(prefixesIn16(), (listed) => {
      const prefixes = rows(finish(aggregate(columnsOf(listed)))).map((row) => row.split(" ")[0] as Prefix);
      assert.deepEqual([...addressesOf(prefixes)].sort(), [...addressesOf(listed)].sort());
      for (const one of prefixes) {
        for (const other of prefixes) assert.ok(one === other || !covers(one, other), `${one} covers ${other}`);
      }
      assert.equal(prefixes.length, fewestNetworks(addressesOf(listed)));
    }),
  );
});

test("a network made of two has the better rank, and the end until which all of it is listed", () => {
  const joined = rows(finish(aggregate(columns("20.0.0.0/31 3 5000", "20.0.0.2 2 0", "20.0.0.3 7 4000"))));
  assert.deepEqual(joined, ["20.0.0.0/30 2 4000"]);
});

test("of more than a device holds, the best ranks are kept, and the choice does not change", () => {
  const many = Array.from({ length: 500 }, (_, at) => `20.0.${at >> 8}.${at & 255} ${at < 100 ? 2 : 5} 0`);
  const listed = columns(...many);
  const keep = (maxRows: number, maxRank = 255) => [...listingsOf(finish(bestRanks([listed], { maxRank, maxRows })))];
  assert.equal(keep(500).length, 500);
  assert.equal(keep(Number.POSITIVE_INFINITY, 2).length, 100);
  const [some, more] = [keep(200), keep(300)];
  assert.ok(some.length > 150 && some.length <= 200, `${some.length}`);
  assert.equal(some.filter((listing) => listing.rank === 2).length, 100);
  const larger = new Set(more.map(({ prefix }) => prefix));
  assert.ok(some.every(({ prefix }) => larger.has(prefix)));
});

/** Prefixes of 20.0.0.0/28, so that they meet. */
function prefixesIn16() {
  const prefix = fc.tuple(fc.nat(15), fc.integer({ min: 28, max: 32 })).map(([low, length]) => {
    const host = 2 ** (32 - length);
    return prefixOf({ family: 4, length, a: 20 * 2 ** 24 + Math.floor(low / host) * host, b: 0, c: 0, d: 0 });
  });
  return fc.uniqueArray(prefix, { maxLength: 12 });
}

function addressesOf(prefixes: readonly Prefix[]): Set<number> {
  const addresses = new Set<number>();
  for (const prefix of prefixes) {
    const first = Number(prefix.split("/")[0]?.split(".")[3]);
    for (let at = 0; at < 2 ** (32 - lengthOf(prefix)); at += 1) addresses.add(first + at);
  }
  return addresses;
}

/** Of 16 addresses: whole blocks, from the largest. */
function fewestNetworks(addresses: ReadonlySet<number>): number {
  const left = new Set(addresses);
  let networks = 0;
  for (const size of [16, 8, 4, 2, 1]) {
    for (let from = 0; from < 16; from += size) {
      const block = Array.from({ length: size }, (_, at) => from + at);
      if (!block.every((address) => left.has(address))) continue;
      networks += 1;
      for (const address of block) left.delete(address);
    }
  }
  return networks;
}

function columnsOf(prefixes: readonly Prefix[]): ListingColumns {
  return columns(...prefixes.map((prefix) => `${prefix} 2 0`));
}

function columns(...texts: readonly string[]): ListingColumns {
  return listingColumns(texts.map(listingOf))[0] as ListingColumns;
}

function columns6(...texts: readonly string[]): ListingColumns {
  return listingColumns(texts.map(listingOf))[1] as ListingColumns;
}

/** `prefix rank until` */
function listingOf(text: string): Listing {
  const [prefix = "", ranked = "", until = ""] = text.split(" ");
  return {
    prefix: parsePrefix(prefix),
    rank: rank(Number(ranked)),
    until: unixSeconds(Number(until)),
    begun: unixSeconds(0),
  };
}

function rows(listed: ListingColumns): string[] {
  return [...listingsOf([listed])].map(({ prefix, rank: ranked, until }) => `${prefix} ${ranked} ${until}`);
}
