/** Each format is read by the tool that it is for, in a network namespace of this test's own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { finish } from "@fleetban/kit/slices";
import { rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { listingColumns } from "@fleetban/proto/model/sorted-columns";
import { unixSeconds } from "@fleetban/proto/model/time";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { aggregate } from "../aggregate.ts";
import type { Page } from "./format.ts";
import { FORMATS } from "./formats.ts";

const skip = enterFreshNetns();
const NOW = unixSeconds(1_800_000_000);
const PREFIXES = ["20.0.0.0/31", "20.0.0.3", "21.0.0.0/24", "45.83.64.9", "2600::/64", "2600:0:0:2::7"];
const xmllint = existsSync("/usr/bin/xmllint") ? false : "needs xmllint (apt-get install libxml2-utils)";

test("ipset restore fills sets beside the old ones and swaps them in", { skip }, () => {
  for (const prefixes of [PREFIXES, PREFIXES.slice(1), PREFIXES]) {
    run("ipset", ["restore", "-exist"], textOf("ipset", prefixes));
    const shown = run("ipset", ["save"]);
    const entries = [...shown.matchAll(/^add (\S+) (\S+)$/gm)].map(([, set, entry]) => `${set} ${entry}`);
    const wanted = prefixes.map((prefix) => `published-v${prefix.includes(":") ? 6 : 4} ${prefix}`);
    assert.deepEqual(entries.sort(), wanted.sort());
    assert.doesNotMatch(shown, /-n /); // what was filled beside it is gone
  }
  for (const set of ["published-v4", "published-v6"]) run("ipset", ["destroy", set]);
});

test("ipset restore with timeouts ends each entry when its listing ends, an open-ended one never", { skip }, () => {
  run("ipset", ["restore", "-exist"], textOf("ipset", PREFIXES, { timeoutsFrom: NOW }));
  const shown = run("ipset", ["save"]);
  assert.match(shown, /^add published-v4 21\.0\.0\.0\/24 timeout (?:3600|35\d\d)$/m);
  assert.match(shown, /^add published-v4 45\.83\.64\.9 timeout 0$/m);
  for (const set of ["published-v4", "published-v6"]) run("ipset", ["destroy", set]);
});

test("nft -f replaces the sets' elements in one transaction, and the rule that uses them stays", { skip }, () => {
  run("nft", ["-f", "-"], textOf("nft", PREFIXES));
  run(
    "nft",
    ["-f", "-"],
    "table inet published { chain in { type filter hook input priority 0; ip saddr @v4 drop; }\n}",
  );
  for (const prefixes of [PREFIXES.slice(1), PREFIXES]) {
    run("nft", ["-f", "-"], textOf("nft", prefixes));
    const listed = JSON.parse(run("nft", ["-j", "list", "table", "inet", "published"])) as NftAnswer;
    const elements = listed.nftables.flatMap(({ set }) => set?.elem ?? []).map(elementText);
    assert.deepEqual(elements.sort(), [...prefixes].sort());
    assert.equal(listed.nftables.filter(({ rule }) => rule !== undefined).length, 1);
  }
  run("nft", ["delete", "table", "inet", "published"]);
});

test("nft takes a list of many thousands", { skip }, () => {
  const many = Array.from({ length: 20_000 }, (_, at) => `23.${at >> 8}.${at & 255}.1`);
  run("nft", ["-f", "-"], textOf("nft", many));
  const listed = JSON.parse(run("nft", ["-j", "list", "set", "inet", "published", "v4"])) as NftAnswer;
  assert.equal(listed.nftables.flatMap(({ set }) => set?.elem ?? []).length, many.length);
  run("nft", ["delete", "table", "inet", "published"]);
});

test("an empty list empties the sets", { skip }, () => {
  run("ipset", ["restore", "-exist"], textOf("ipset", PREFIXES));
  run("ipset", ["restore", "-exist"], textOf("ipset", []));
  assert.doesNotMatch(run("ipset", ["save"]), /^add /m);
  run("nft", ["-f", "-"], textOf("nft", []));
  run("nft", ["delete", "table", "inet", "published"]);
});

test("xmllint reads the XML, an entry a listing", { skip: xmllint }, () => {
  const count = run(
    "xmllint",
    ["--xpath", "count(/fleetban/listing[@prefix and @family and @rank])", "-"],
    textOf("xml"),
  );
  assert.equal(Number(count), PREFIXES.length);
  const until = run("xmllint", ["--xpath", "string(//listing[@prefix='21.0.0.0/24']/@until)", "-"], textOf("xml"));
  assert.equal(until.trim(), "2027-01-15T09:00:00Z");
});

test("JSON and CSV say the same of each listing", { skip: false }, () => {
  const { lists, listings } = JSON.parse(textOf("json")) as { lists: string[]; listings: Record<string, unknown>[] };
  assert.deepEqual(lists, ["fleet", "feeds"]);
  assert.deepEqual(listings[2], { prefix: "21.0.0.0/24", until: "2027-01-15T09:00:00Z", rank: 2 });
  const [head, ...lines] = textOf("csv").trimEnd().split("\r\n");
  assert.equal(head, "prefix,family,until,rank");
  const rows = lines.map((line) => line.split(","));
  assert.deepEqual(
    rows.map(([prefix, , until, ranked]) => ({ prefix, until: until || null, rank: Number(ranked) })),
    listings,
  );
  assert.deepEqual((JSON.parse(textOf("json", [])) as { listings: unknown[] }).listings, []);
});

/** RouterOS can't be had here: the script is compared with what its manual allows, line by line. */
test("the script for RouterOS fills the list that is not in use, then empties the other", () => {
  const lines = textOf("rsc").trimEnd().split("\n");
  const menu = "/(?:ip|ipv6) firewall address-list";
  const allowed = [
    /^:global fleetban(?:New|Old)$/,
    /^:set fleetban(?:New|Old)(?: "published-[ab]")?$/,
    new RegExp(
      `^:if \\(\\[:len \\[${menu} find list="published-a"\\]\\] > 0\\) do=\\{ (?::set fleetban\\w+ "published-[ab]"[; ]+){2}\\}$`,
    ),
    new RegExp(`^${menu} remove \\[${menu} find list=\\$fleetban(?:New|Old)\\]$`),
    new RegExp(`^${menu} add list=\\$fleetbanNew address=[0-9a-f.:/]+$`),
  ];
  for (const line of lines)
    assert.ok(
      allowed.some((form) => form.test(line)),
      line,
    );
  const added = lines.flatMap((line) => / address=(\S+)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(added, PREFIXES);
  const order = lines.filter((line) => line.startsWith("/ip ")).map((line) => line.split(" ")[3]);
  assert.deepEqual(order, ["remove", "add", "add", "add", "add", "remove"]);
});

interface NftAnswer {
  readonly nftables: readonly { readonly set?: { readonly elem?: readonly NftElement[] }; readonly rule?: unknown }[];
}

type NftElement = string | { readonly prefix: { readonly addr: string; readonly len: number } };

function elementText(element: NftElement): string {
  return typeof element === "string" ? element : `${element.prefix.addr}/${element.prefix.len}`;
}

/** 21.0.0.0/24 ends in an hour, everything else is open-ended. */
function textOf(extension: string, prefixes: readonly string[] = PREFIXES, more: Partial<Page> = {}): string {
  const format = FORMATS.get(extension);
  assert.ok(format);
  const listings = prefixes.map((prefix) => ({
    prefix: parsePrefix(prefix),
    rank: rank(2),
    until: unixSeconds(prefix === "21.0.0.0/24" ? NOW + 3_600 : 0),
    begun: unixSeconds(0),
  }));
  const families = listingColumns(listings).map((columns) => finish(aggregate(columns)));
  return [
    ...format.text({ lists: ["fleet", "feeds"], families, name: "published", timeoutsFrom: undefined, ...more }),
  ].join("");
}

function run(program: string, args: readonly string[], input = ""): string {
  return execFileSync(program, args, { input, encoding: "utf8", maxBuffer: 64 << 20 });
}
