import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { humanSeconds } from "@fleetban/kit/cli-output";
import { readPolicy } from "../policy/policy-file.ts";
import { feedDefinitionsOf } from "./definitions.ts";
import type { FeedDefinition, ListFeed } from "./feed.ts";
import { PRESETS } from "./presets.ts";

const access = { url: "https://api.abuseipdb.com/api/v2", key: "k", callsPerDay: 5, callsKept: 2 };

test("every preset is a policy by its name alone, and keeps its publisher's pace", () => {
  const text = `feeds:\n${PRESETS.map(({ name }) => `  ${name}: {}\n`).join("")}`;
  const feeds = definitionsOf(text) as ListFeed[];
  assert.equal(feeds.length, PRESETS.length);
  for (const [index, feed] of feeds.entries()) {
    const preset = PRESETS[index]!;
    assert.deepEqual([feed.name, feed.licence, feed.settings.format], [preset.name, preset.licence, preset.format]);
    assert.ok(feed.everySeconds >= feed.settings.paceSeconds, `${feed.name} is asked for too often`);
    assert.ok(feed.staleAfterSeconds > feed.everySeconds, feed.name);
    assert.match(feed.settings.at.kind === "url" ? feed.settings.at.url : "", /^https:\/\//);
  }
});

test("with a key AbuseIPDB is on by default, by the policy when it says something, and without one off", () => {
  const [byDefault] = definitionsOf("", access);
  assert.deepEqual([byDefault?.name, byDefault?.mode, byDefault?.everySeconds], ["abuseipdb", "enforce", 86_400]);
  assert.deepEqual(
    definitionsOf("feeds: { greensnow: {} }", access).map(({ name }) => name),
    ["greensnow", "abuseipdb"],
  );
  const [said] = definitionsOf(
    "feeds: { abuseipdb: { mode: observe, confidence_minimum: 75, limit: 100000, only_countries: [CN, RU], ip_version: 4 } }",
    access,
  );
  assert.ok(said?.kind === "abuseipdb");
  assert.deepEqual([said.mode, said.abuseipdb.confidenceMinimum, said.abuseipdb.limit], ["observe", 75, 100_000]);
  assert.deepEqual([said.filter.onlyCountries, said.filter.ipVersion], [["CN", "RU"], 4]);
  assert.deepEqual(definitionsOf("feeds: { abuseipdb: {} }"), []);
});

test("a list of one's own says where it is, and has careful defaults", () => {
  const [feed] = definitionsOf("feeds: { office: { url: 'https://lists.example.net/bad.txt' } }") as ListFeed[];
  assert.deepEqual([feed?.mode, feed?.licence, feed?.list], ["enforce", "own-use", "feeds"]);
  assert.deepEqual([feed?.settings.format, feed?.settings.confidence, feed?.settings.paceSeconds], ["plain", 75, 300]);
  const formats = ["a.csv", "a.mmdb", "a.csv.gz", "a.txt"].map((name) => {
    const text = `feeds: { x: { file: /srv/${name}, only_networks: [AS64500], csv: { network_column: 2 } } }`;
    return name.endsWith("txt") ? "plain" : (definitionsOf(text) as ListFeed[])[0]?.settings.format;
  });
  assert.deepEqual(formats, ["csv", "mmdb", "csv", "plain"]);
  const [mirror] = definitionsOf(
    "feeds: { drop: { preset: spamhaus-drop-v4, url: 'https://mirror.example.net/drop.json' } }",
  ) as ListFeed[];
  assert.deepEqual([mirror?.settings.format, mirror?.licence], ["spamhaus", "credit"]);
});

const mistakes: readonly (readonly [text: string, problem: RegExp])[] = [
  ["feeds: { greensno: {} }", /feeds\.greensno says nowhere what to fetch; .*did you mean greensnow\?/],
  ["feeds: { x: { preset: spamhaus-drop-v5 } }", /preset is "spamhaus-drop-v5": .*did you mean spamhaus-drop-v[46]\?/],
  ["feeds: { x: { url: 'ftp://a/b' } }", /must be an address that begins with https/],
  ["feeds: { x: { url: 'https://key@host/b' } }", /must be an address/],
  ["feeds: { x: { file: lists/a.txt } }", /must be an absolute path/],
  ["feeds: { x: { url: 'https://a/b', file: /a } }", /file is given beside url/],
  ["feeds: { x: { file: /a, every: 2d, stale_after: 1d } }", /stale_after must be longer than every/],
  ["feeds: { dshield: { every: 1m } }", /every is 1m: its publisher wants 30m between two/],
  ["feeds: { X y: { file: /a } }", /is no name for a feed/],
  ["feeds: { x: { file: /a.mmdb } }", /database of everybody/],
  ["feeds: { x: { file: /a, only_countries: [DE] } }", /format plain does not tell it/],
  ["feeds: { x: { file: /a.csv, only_countries: [DE] } }", /needs csv\.country_column/],
  ["feeds: { x: { file: /a.csv, only_countries: [de] } }", /two capital letters/],
  ["feeds: { abuseipdb: { confidence_minimum: 10 } }", /AbuseIPDB gives none below 25/],
  ["feeds: { abuseipdb: {}, more: { preset: abuseipdb } }", /second feed of AbuseIPDB/],
  ["feeds: { x: { file: /a, list: nowhere } }", /list is "nowhere": no list for feeds/],
  ["feeds: { x: { file: /a, list: fleet } }", /list is "fleet"/],
  [
    "lists: { webs: {} }\njails: { nginx: { list: webs } }\nfeeds: { x: { file: /a, list: webs } }",
    /jail nginx goes to it/,
  ],
  ["feeds: { x: { file: /a, format: xml } }", /must be one of plain, netset, csv/],
];
for (const [text, problem] of mistakes) {
  test(`a policy's mistake is told: ${text.replaceAll("\n", " ")}`, () => {
    assert.throws(() => readPolicy(text, "policy.yaml"), problem);
  });
}

function definitionsOf(text: string, abuseipdb?: typeof access): readonly FeedDefinition[] {
  return feedDefinitionsOf({ feeds: readPolicy(text, "policy.yaml").feeds, abuseipdb });
}

test("the handbook has every preset, as it is", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/feeds.md"), "utf8");
  for (const { name, url, everySeconds, paceSeconds, mode, confidence, licence, note } of PRESETS) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${name}\` |`)) ?? "";
    const cells = row.split("|").map((cell) => cell.trim());
    const pace = `${humanSeconds(everySeconds)}, ${humanSeconds(paceSeconds)}`;
    assert.deepEqual(
      [cells[2], cells[3], cells[5], cells[6], cells[7], cells[8]],
      [...[url.replace("https://", ""), pace, mode, String(confidence), licence, note]],
    );
  }
});

test("the handbook's policies are policies", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/feeds.md"), "utf8");
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
  const policies = blocks.filter((block) => !block.includes("key_file")); // that one is coordinator.yaml
  assert.equal(policies.length, 3);
  for (const text of policies) readPolicy(text, "docs/feeds.md");
});
