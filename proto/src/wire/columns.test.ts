import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { anyPrefix, listingFixture, listingsOver, poolPrefix } from "../model/listing.fixture.ts";
import { rank } from "../model/listing.ts";
import { bytesOf, comparePrefixes, familyOf, lengthOf, parsePrefix, partsOf } from "../model/prefix.ts";
import { listingColumns, listingsOf } from "../model/sorted-columns.ts";
import { unixSeconds } from "../model/time.ts";
import { canonicalSha256, decodeColumns, encodeColumns } from "./columns.ts";
import { Columns } from "./gen/fleetban/v1/columns.ts";
import { WireError } from "./wire-error.ts";

const MAX = 1_000;
const listings = fc.oneof(listingsOver(anyPrefix), listingsOver(poolPrefix));

/** 192.0.2.0/24, 192.0.2.7 and 2001:db8::/32. */
function sample(): Columns {
  const prefixes = ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32"].map(parsePrefix);
  return encodeColumns(listingColumns(prefixes.map((prefix) => listingFixture(prefix))));
}

test("listings come back from their columns, sorted, with equal bytes for equal listings", () => {
  fc.assert(
    fc.property(listings, (some) => {
      const bytes = Columns.encode(encodeColumns(listingColumns(some))).finish();
      const decoded = decodeColumns("test", Columns.decode(bytes), MAX);
      assert.deepEqual(
        [...listingsOf(decoded)],
        some.toSorted((one, other) => comparePrefixes(one.prefix, other.prefix)),
      );
      assert.deepEqual(Columns.encode(encodeColumns(decoded)).finish(), bytes);
      assert.deepEqual(Columns.encode(encodeColumns(listingColumns(some.toReversed()))).finish(), bytes);
    }),
  );
});

test("the columns of three listings are recorded: released agents must go on reading them", () => {
  const { prefixes, until, rank: ranks, begun } = sample();
  assert.equal(prefixes?.v4.toString("hex"), "808480800c07");
  assert.equal(prefixes?.v4Length.toString("hex"), "18012001");
  assert.equal(prefixes?.v6.toString("hex"), "8080808080808080808080808080ee868140");
  assert.equal(until.toString("hex"), "80a4a7da0603");
  assert.equal(ranks.toString("hex"), "0203");
  assert.equal(begun.length, 0);
});

test("columns that are not sorted, distinct and canonical are refused", () => {
  const damages: readonly [string, (columns: Columns) => void, RegExp][] = [
    ["the same address twice", (columns) => setV4(columns, "808480800c00", "2002"), /not sorted/],
    ["the longer length first", (columns) => setV4(columns, "808480800c00", "20011801"), /not sorted/],
    ["host bits", (columns) => setV4(columns, "808480800c07", "1802"), /host bits/],
    ["beyond the last address", (columns) => setV4(columns, "ffffffff0f01", "2002"), /beyond the last address/],
    ["bytes after the last", (columns) => setV4(columns, "808480800c0700", "18012001"), /bytes after/],
    ["too few bytes", (columns) => setV4(columns, "808480800c", "18012001"), /ends within/],
    ["a length above 32", (columns) => setV4(columns, "808480800c07", "18012101"), /above 32/],
    ["lengths for one row only", (columns) => setV4(columns, "808480800c07", "1801"), /ends within/],
    ["lengths for three rows", (columns) => setV4(columns, "808480800c07", "18012002"), /more values/],
    ["a run of none", (columns) => setV4(columns, "808480800c07", "180110002001"), /no whole run/],
    ["a run in two", (columns) => setV4(columns, "808480800c07", "20012001"), /no whole run/],
    ["until of one row only", (columns) => replace(columns, "until", "0001"), /ends within/],
    ["a rank above 255", (columns) => replace(columns, "rank", "800203"), /above 255/],
    ["bytes after the ranks", (columns) => replace(columns, "rank", "020300"), /more values/],
    ["IPv4 written as IPv6", (columns) => setV6(columns, mappedV6(), "800101"), /IPv4 written/],
  ];
  for (const [what, damage, fault] of damages) {
    const columns = sample();
    damage(columns);
    assert.throws(
      () => decodeColumns("test", columns, MAX),
      (error) => {
        assert.ok(error instanceof WireError, `${what}: ${error}`);
        assert.match(error.message, fault, what);
        return true;
      },
    );
  }
});

test("a count is refused before anything is allocated for it", () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const count of [3, 1_000_000, 0xffffffff]) {
    for (const maxListings of [MAX, 0xffffffff]) {
      const columns = sample();
      assert.ok(columns.prefixes !== undefined);
      columns.prefixes.v4Count = count;
      columns.prefixes.v4 = Buffer.from([1, 1]);
      assert.throws(() => decodeColumns("test", columns, maxListings), WireError);
    }
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  assert.throws(() => decodeColumns("test", sample(), 2), /3 prefixes where at most 2/);
});

test("garbage is refused or gives canonical columns, and never more than asked for", () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((some) => Buffer.from(some));
  const prefixes = fc.record({
    v4Count: fc.nat(20),
    v4: bytes,
    v4Length: bytes,
    v6Count: fc.nat(20),
    v6: bytes,
    v6Length: bytes,
  });
  fc.assert(
    fc.property(fc.record({ prefixes, until: bytes, rank: bytes, begun: bytes }), (message) => {
      try {
        const decoded = [...listingsOf(decodeColumns("test", message, 10))];
        assert.ok(decoded.length <= 10);
        for (const { prefix } of decoded) assert.equal(parsePrefix(prefix), prefix);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the canonical SHA-256 is over prefixes, until and rank, whatever the form on the wire", () => {
  fc.assert(
    fc.property(listings, (some) => {
      const hash = createHash("sha256");
      for (const family of [4, 6] as const) {
        const rows = some
          .filter(({ prefix }) => familyOf(prefix) === family)
          .sort((one, other) => comparePrefixes(one.prefix, other.prefix));
        hash.update(word(rows.length));
        for (const { prefix } of rows) {
          const { a, b, c, d } = partsOf(prefix);
          for (const part of family === 4 ? [a] : [a, b, c, d]) hash.update(word(part));
        }
        hash.update(Uint8Array.from(rows, ({ prefix }) => lengthOf(prefix)));
        for (const { until } of rows) hash.update(word(until));
        hash.update(Uint8Array.from(rows, (row) => row.rank));
      }
      assert.deepEqual(canonicalSha256(listingColumns(some)), hash.digest());
    }),
  );
});

test("when a pardon began travels on exempt lists", () => {
  const pardon = listingFixture(parsePrefix("198.51.100.7"), { rank: rank(1), begun: unixSeconds(1_790_000_000) });
  const message = encodeColumns(listingColumns([pardon, listingFixture(parsePrefix("2001:db8::1"))]));
  assert.deepEqual(
    [...listingsOf(decodeColumns("test", message, MAX))].map(({ begun }) => begun),
    [1_790_000_000, 0],
  );
  message.begun = Buffer.from("0001", "hex");
  assert.throws(() => decodeColumns("test", message, MAX), /begun: ends within/);
});

function setV4(columns: Columns, addresses: string, lengths: string): void {
  assert.ok(columns.prefixes !== undefined);
  columns.prefixes.v4 = bytesFrom(addresses);
  columns.prefixes.v4Length = bytesFrom(lengths);
}

function setV6(columns: Columns, addresses: string, lengths: string): void {
  assert.ok(columns.prefixes !== undefined);
  columns.prefixes.v6 = bytesFrom(addresses);
  columns.prefixes.v6Length = bytesFrom(lengths);
}

function replace(columns: Columns, column: "until" | "rank", hex: string): void {
  columns[column] = bytesFrom(hex);
}

/** The varint of ::ffff:192.0.2.7. */
function mappedV6(): string {
  let value = BigInt(`0xffff${Buffer.from(bytesOf(parsePrefix("192.0.2.7"))).toString("hex")}`);
  const bytes: number[] = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return Buffer.from([...bytes, Number(value)]).toString("hex");
}

function bytesFrom(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
