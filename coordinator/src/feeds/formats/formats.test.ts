import assert from "node:assert/strict";
import { test } from "node:test";
import { finish } from "@fleetban/kit/slices";
import { anyPrefix } from "@fleetban/proto/model/listing.fixture";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { unixMs } from "@fleetban/proto/model/time";
import fc from "fast-check";
import type { EntryFilter } from "../feed.ts";
import { type GatherRules, gatherEntries } from "../gather-entries.ts";
import { csvRows } from "./csv.ts";
import { dshieldRows } from "./dshield.ts";
import { netsetRows, plainRows } from "./plain.ts";
import type { Row } from "./row.ts";
import { spamhausRows } from "./spamhaus.ts";

const NOW = unixMs(Date.UTC(2026, 10, 21));
const everything: EntryFilter = { onlyCountries: [], exceptCountries: [], onlyNetworks: [] };

test("what is written as a list, in any dress, is read back", () => {
  const dress = fc.record({
    before: fc.constantFrom("", " ", "\t", "# a comment\n", "\n\n", "; another\n// and one\n"),
    after: fc.constantFrom("", " ", " # why", ";why", "\t42", " // note", ",DE"),
    end: fc.constantFrom("\n", "\r\n"),
  });
  const line = fc.tuple(anyPrefix, dress);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), fc.boolean(), (lines, hasMark) => {
      const text = lines.map(([prefix, { before, after, end }]) => `${before}${prefix}${after}${end}`).join("");
      const read = prefixesOf(plainRows(`${hasMark ? "\ufeff" : ""}${text}`));
      assert.deepEqual(
        read,
        lines.map(([prefix]) => prefix),
      );
    }),
  );
});

test("no text whatever is more than bad lines, and what is taken is canonical and no special-purpose range", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/-#;, \t\n\r"{}'), maxLength: 60 }),
    anyPrefix,
  );
  const columns = { separator: ",", prefix: "1", end: "2", confidence: "3" };
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.constantFrom("\n", " ", ","), (pieces, glue) => {
      const text = pieces.join(glue);
      for (const rows of [
        plainRows(text),
        netsetRows(text),
        spamhausRows(text),
        dshieldRows(text),
        csvRows(text, columns),
      ]) {
        const gathered = finish(gatherEntries(rows, rules({ mayBeEmpty: true, badRatioMax: 1 })));
        for (const { prefix } of gathered.kind === "list" ? gathered.list.entries : []) {
          assert.equal(parsePrefix(prefix), prefix);
          assert.equal(specialPurposeOf(prefix), undefined);
        }
      }
    }),
  );
});

test("a netset says how many it has, and from when", () => {
  const head = (entries: number) =>
    `#\n# firehol_level2\n# This File Date  : Fri Nov 20 22:10:07 UTC 2026\n# Entries         : ${entries} subnets, 612 unique IPs\n#\n`;
  const good = gathered(netsetRows(`${head(2)}45.1.1.1\n45.1.2.0/24\n`));
  assert.equal(good.kind === "list" && good.list.generatedAt, Date.UTC(2026, 10, 20, 22, 10, 7));
  assert.match(
    reasonOf(gathered(netsetRows(`${head(3)}45.1.1.1\n45.1.2.0/24\n`))),
    /says that it has 3 entries, and has 2/,
  );
  const old = gathered(netsetRows(`${head(1)}45.1.1.1\n`), { oldestMs: 3_600_000 });
  assert.equal(reasonOf(old), "the list was generated 2 hours ago");
});

test("FireHOL's private, multicast and reserved ranges are left out, and the rest is taken", () => {
  const text = "0.0.0.0/8\n10.0.0.0/8\n192.168.0.0/16\n224.0.0.0/3\n45.1.2.0/24\n";
  const read = gathered(netsetRows(text));
  assert.deepEqual(read.kind === "list" && [read.list.entries, read.list.tooWide, read.list.refused], [
    [{ prefix: "45.1.2.0/24", confidence: 75 }],
    [],
    { "special-purpose": 4 },
  ]);
});

test("Spamhaus' lines are counted by the last of them, without which the list is cut", () => {
  const line = '{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}';
  const last = (records: number) => `{"type":"metadata","timestamp":1795000000,"size":1,"records":${records}}`;
  assert.deepEqual(entriesOf(gathered(spamhausRows(`${line}\n${last(1)}\n`))), ["1.10.16.0/20"]);
  assert.match(reasonOf(gathered(spamhausRows(`${line}\n${last(2)}`))), /says that it has 2 entries, and has 1/);
  assert.match(reasonOf(gathered(spamhausRows(line))), /its last line, .* is missing/);
  assert.equal(gathered(spamhausRows(last(0))).kind, "list", "empty by nature: its last line says so");
  assert.match(reasonOf(gathered(spamhausRows(`[${line}]`))), /last line/);
  const network = badOf(spamhausRows(`{"asn":64500,"cc":"DE"}\n${last(1)}`));
  assert.match(network[0] ?? "", /about an autonomous system/);
});

test("DShield's columns must agree with one another", () => {
  const head = "# DShield.org Recommended Block List\nStart\tEnd\tNetmask\tAttacks\tName\tCountry\temail\n";
  const line = "45.1.2.0\t45.1.2.255\t24\t2651\tSOMEBODY\tDE\tabuse@example.net\n";
  assert.deepEqual(entriesOf(gathered(dshieldRows(head + line))), ["45.1.2.0/24"]);
  assert.match(
    badOf(dshieldRows(line.replace("\t24\t", "\t25\t")))[0] ?? "",
    /ends at 45\.1\.2\.255, and \/25 does not/,
  );
  assert.match(badOf(dshieldRows(line.replace("45.1.2.255", "Germany")))[0] ?? "", /no last address/);
  const german = { ...everything, onlyCountries: ["FR"] };
  assert.deepEqual(entriesOf(gathered(dshieldRows(line), { filter: german, mayBeEmpty: true })), []);
});

const csv: readonly (readonly [
  what: string,
  columns: Parameters<typeof csvRows>[1],
  text: string,
  entries: string[],
])[] = [
  ["by number", { separator: ",", prefix: "2" }, "1,45.1.1.1\n2,45.1.1.2\n", ["45.1.1.1 75", "45.1.1.2 75"]],
  [
    "by title, in any case",
    { separator: ";", prefix: "IP", confidence: "score" },
    'id;Score;ip\n1;90;"45.1.1.1"\n',
    ["45.1.1.1 90"],
  ],
  ["titles over numbers", { separator: ",", prefix: "1" }, "address,why\n45.1.1.1,x\n", ["45.1.1.1 75"]],
  [
    "ranges by two columns",
    { separator: "\t", prefix: "1", end: "2", country: "4", network: "3" },
    "45.1.0.0\t45.1.1.255\t64500\tDE\tNET\n45.2.0.0\t45.2.0.255\t64501\tFR\tNET\n",
    ["45.1.0.0/23 75"],
  ],
  ["quotes", { separator: ",", prefix: "2" }, '"a ""b"", c",45.1.1.1\n', ["45.1.1.1 75"]],
];
for (const [what, columns, text, entries] of csv) {
  test(`csv: ${what}`, () => {
    const filter =
      columns.country === undefined ? everything : { ...everything, onlyNetworks: [64500], onlyCountries: ["DE"] };
    const read = gathered(csvRows(text, columns), { filter });
    const told = read.kind === "list" ? read.list.entries.map((entry) => `${entry.prefix} ${entry.confidence}`) : [];
    assert.deepEqual(told, entries);
  });
}

test("csv: a column that is not there refuses the list, a confidence out of bounds the line", () => {
  const missing = gathered(csvRows("a,b\n1,2\n", { separator: ",", prefix: "ip" }));
  assert.equal(reasonOf(missing), "no column ip among the 2 of its first line");
  const bad = badOf(
    csvRows("45.1.1.1,101\n45.1.1.2,-1\n45.1.1.3,\n", { separator: ",", prefix: "1", confidence: "2" }),
  );
  assert.equal(bad.length, 3);
});

test("the same address twice counts once, with the better confidence", () => {
  const rows = csvRows("45.1.1.1,30\n45.1.1.1,90\n45.1.1.1,60\n", { separator: ",", prefix: "1", confidence: "2" });
  const read = gathered(rows);
  assert.deepEqual(read.kind === "list" && [read.list.entries, read.list.refused], [
    [{ prefix: "45.1.1.1", confidence: 90 }],
    { duplicate: 2 },
  ]);
});

test("more entries than are wanted refuse the list", () => {
  const text = Array.from({ length: 11 }, (_, index) => `45.1.1.${index}`).join("\n");
  assert.equal(reasonOf(gathered(plainRows(text), { maxEntries: 10 })), "more than 10 entries");
});

function rules(given: Partial<GatherRules> = {}): GatherRules {
  const bounds = { confidence: 75, confidenceMinimum: 0, maxEntries: 1_000, mayBeEmpty: false, badRatioMax: 0.5 };
  return { filter: everything, ...bounds, oldestMs: 0, now: NOW, ...given };
}

function gathered(rows: Iterable<Row>, given: Partial<GatherRules> = {}) {
  return finish(gatherEntries(rows, rules(given)));
}

function entriesOf(read: ReturnType<typeof gathered>): Prefix[] {
  return read.kind === "list" ? read.list.entries.map(({ prefix }) => prefix) : assert.fail(read.reason);
}

function reasonOf(read: ReturnType<typeof gathered>): string {
  return read.kind === "refused" ? read.reason : assert.fail("was not refused");
}

function prefixesOf(rows: Iterable<Row>): Prefix[] {
  return [...rows].flatMap((row) => (row.kind === "prefixes" ? row.prefixes : assert.fail(JSON.stringify(row))));
}

function badOf(rows: Iterable<Row>): string[] {
  return [...rows].flatMap((row) => (row.kind === "bad" ? [row.problem] : []));
}

test("a comment goes to the end of its line, whatever is in it, at the cost of one look", () => {
  assert.deepEqual(prefixesOf(plainRows("45.1.1.1 # a\u2028b\r45.1.1.2")), ["45.1.1.1"]);
  const begunMs = performance.now();
  for (let line = 0; line < 200; line += 1) [...plainRows(`${"#".repeat(40_000)}\u2028x`)];
  assert.ok(performance.now() - begunMs < 20_000); // minutes, if each mark were looked at anew
});
