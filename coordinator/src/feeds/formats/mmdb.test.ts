import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import type { EntryFilter } from "../feed.ts";
import { type MmdbOptions, mmdbOf } from "./mmdb.fixture.ts";
import { mmdbRows } from "./mmdb.ts";
import { decodeMmdb } from "./mmdb-data.ts";

const everybody: EntryFilter = { onlyCountries: [], exceptCountries: [], onlyNetworks: [] };
const entries = [
  ["45.1.0.0/16", { country: { iso_code: "DE", geoname_id: 2_921_044 } }],
  ["45.2.4.0/22", { country: { iso_code: "FR" } }],
  ["45.3.3.3", { registered_country: { iso_code: "DE" } }],
  ["2a01:4f8::/32", { country: { iso_code: "DE" } }],
  ["2a02::/16", { country: "FR" }],
] as const;
const kinds: readonly MmdbOptions[] = [24, 28, 32].map((bits) => ({ recordBits: bits as 24 | 28 | 32, version: 6 }));

for (const options of kinds) {
  test(`the networks of a country, records of ${options.recordBits} bits`, () => {
    const file = mmdbOf(
      entries.map(([text, value]) => [parsePrefix(text), value]),
      options,
    );
    const rows = [...mmdbRows(file, { ...everybody, onlyCountries: ["DE"] })];
    assert.deepEqual(rows[0], { kind: "made", atMs: 1_795_000_000_000 });
    const prefixes = rows.flatMap((row) => (row.kind === "prefixes" ? row.prefixes : []));
    assert.deepEqual(prefixes, ["45.1.0.0/16", "45.3.3.3", "2a01:4f8::/32"]);
    assert.ok(rows.every((row) => row.kind !== "prefixes" || row.country === "DE"));
  });
}

test("the networks of autonomous systems, from a database of IPv4 alone", () => {
  const made = mmdbOf(
    [
      [parsePrefix("45.1.0.0/16"), { autonomous_system_number: 64_500, autonomous_system_organization: "ONE" }],
      [parsePrefix("45.2.0.0/16"), { asn: "AS64501" }],
    ],
    { recordBits: 24, version: 4 },
  );
  const rows = [...mmdbRows(made, { ...everybody, onlyNetworks: [64_501] })];
  assert.deepEqual(rows.slice(1), [
    { kind: "prefixes", line: 1, text: "45.2.0.0/16", prefixes: ["45.2.0.0/16"], network: 64_501 },
  ]);
});

test("a damaged database is refused, and nothing hangs or throws", () => {
  const file = mmdbOf(
    entries.map(([text, value]) => [parsePrefix(text), value]),
    { recordBits: 28, version: 6 },
  );
  assert.match(reasonOf(Buffer.from("no database")), /it has no metadata/);
  assert.match(reasonOf(file.subarray(100)), /tree reaches beyond its end|damaged/);
  const place = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 20 }), (bytes) => {
      const bent = Buffer.from(file);
      for (const [at, byte] of bytes) bent[at] = byte;
      const rows = [...mmdbRows(bent, everybody)];
      assert.ok(rows.length <= file.length);
    }),
    { numRuns: 500 },
  );
});

test("a tree with a loop is given up", () => {
  const file = Buffer.from(mmdbOf([[parsePrefix("45.1.0.0/16"), { asn: "AS1" }]], { recordBits: 32, version: 4 }));
  file.writeUInt32BE(0, 0); // the root's left is the root
  assert.match(reasonOf(file), /its tree has a loop/);
});

test("values that are made of each other again and again are given up", () => {
  const pieces: Buffer[] = [Buffer.from([0x41, 0x78])]; // "x"
  let [at, end] = [0, 2];
  for (let level = 0; level < 5; level += 1) {
    const pointer = Buffer.from([0x20 | (at >> 8), at & 0xff]);
    pieces.push(Buffer.from([20, 4]), ...Array.from({ length: 20 }, () => pointer)); // an array of twenty
    [at, end] = [end, end + 2 + 40];
  }
  assert.throws(() => decodeMmdb(Buffer.concat(pieces), at), /too many values/);
  const long = Buffer.concat([Buffer.from([0x5e, 0x10, 0x00]), Buffer.alloc(4_500, 0x78)]);
  assert.throws(() => decodeMmdb(long, 0), /a text of 4381 bytes/);
});

test("a database in which nothing is wanted holds nobody up", () => {
  const networks = Array.from({ length: 4_000 }, (_, at) => parsePrefix(`45.${at >> 8}.${at & 255}.0/24`));
  const file = mmdbOf(
    networks.map((network) => [network, { country: "FR" }]),
    { recordBits: 24, version: 4 },
  );
  const rows = [...mmdbRows(file, { ...everybody, onlyCountries: ["DE"] })];
  assert.ok(rows.filter(({ kind }) => kind === "passed").length >= 7, `${rows.length} rows`);
});

function reasonOf(file: Uint8Array): string {
  const refused = [...mmdbRows(file, everybody)].find((row) => row.kind === "refused");
  return refused?.kind === "refused" ? refused.reason : assert.fail("was not refused");
}
