import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, type ConfigTable, readConfig } from "./config.ts";

const TABLE = {
  name: { kind: "text", description: "name of this server" },
  "web.host": { kind: "text", default: "127.0.0.1", description: "address to listen on" },
  "web.port": { kind: "number", default: 7743, min: 1, max: 65_535, description: "port to listen on" },
  "web.open": { kind: "flag", default: false, description: "whether everybody may read" },
  keep: { kind: "duration", default: "7d", min: "1h", max: "400d", description: "how long sightings are kept" },
  "spool.size": { kind: "bytes", default: "64MiB", description: "room for the spool" },
  backend: { kind: "choice", of: ["ipset", "dry-run"], default: "ipset", description: "firewall" },
  addresses: {
    kind: "texts",
    default: [],
    description: "coordinators",
    check: (text) => (text.includes(":") ? undefined : "must be host:port"),
  },
  share: { kind: "number", default: 0.25, max: 1, isFraction: true, description: "part of the CPU" },
  proxy: { kind: "text", default: undefined, description: "proxy, if any" },
  feeds: {
    kind: "named",
    description: "outside lists by name",
    of: {
      url: { kind: "text", description: "where it is" },
      "quota.day": { kind: "number", default: 5, description: "fetches a day" },
    },
  },
} as const satisfies ConfigTable;

test("an empty file gives the defaults, converted", () => {
  const config = readConfig("name: web1\n", "agent.yaml", TABLE);
  assert.deepEqual(
    { ...config },
    {
      name: "web1",
      "web.host": "127.0.0.1",
      "web.port": 7743,
      "web.open": false,
      keep: 604_800_000,
      "spool.size": 67_108_864,
      backend: "ipset",
      addresses: [],
      share: 0.25,
      proxy: undefined,
      feeds: {},
    },
  );
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.feeds) && Object.isFrozen(config.addresses));
});

test("what is given replaces the defaults, sections and names included", () => {
  const text = `
name: web1
web: { host: "::1", port: 80 }
keep: 36h
spool: { size: 1GB }
addresses: [a:1, b:2]
feeds:
  drop: { url: "https://example.net/drop" }
  own: { url: x, quota: { day: 9 } }
`;
  const config = readConfig(text, "agent.yaml", TABLE);
  assert.deepEqual(
    [config["web.host"], config["web.port"], config.keep, config["spool.size"]],
    ["::1", 80, 129_600_000, 1e9],
  );
  assert.deepEqual(config.addresses, ["a:1", "b:2"]);
  assert.deepEqual(
    Object.entries(config.feeds).map(([name, feed]) => [name, feed.url, feed["quota.day"]]),
    [
      ["drop", "https://example.net/drop", 5],
      ["own", "x", 9],
    ],
  );
});

test("all mistakes are told at once, with file, line, key, value and remedy", () => {
  const text = `web:
  prot: 80
  port: 70000
  open: yes
keep: 10 days
spool: 5
backend: nft
addresses: ["b:1", a]
share: 2
feeds:
  drop:
    quota:
      day: many
zzz: 1
`;
  assert.throws(
    () => readConfig(text, "agent.yaml", TABLE),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.code, "bad-config");
      assert.deepEqual(error.message.split("\n"), [
        "agent.yaml:1: name is missing: name of this server",
        "agent.yaml:2: web.prot is no key of this file; did you mean web.port?",
        "agent.yaml:3: web.port is 70000: must be a whole number from 1 to 65535",
        'agent.yaml:4: web.open is "yes": must be true or false',
        'agent.yaml:5: keep is "10 days": must be a duration like 90s, 10m, 1h30m or 7d',
        "agent.yaml:6: spool must hold keys with values",
        'agent.yaml:7: backend is "nft": must be one of ipset, dry-run',
        'agent.yaml:8: addresses is ["b:1","a"]: must be host:port; "a" is not',
        "agent.yaml:9: share is 2: must be a number from 0 to 1",
        "agent.yaml:11: feeds.drop.url is missing: where it is",
        'agent.yaml:13: feeds.drop.quota.day is "many": must be a whole number of at least 0',
        "agent.yaml:14: zzz is no key of this file; remove it",
      ]);
      return true;
    },
  );
});

test("a mistyped section gets the section that was meant", () => {
  assert.throws(
    () => readConfig("name: web1\nwebb:\n  port: 80\n", "agent.yaml", TABLE),
    /agent\.yaml:2: webb is no key of this file; did you mean web\?/,
  );
});

test("what YAML cut at a comma is told to go into quotes", () => {
  assert.throws(
    () => readConfig("name: web1\nweb: { port: 80,443 }\n", "agent.yaml", TABLE),
    /^ConfigError: agent\.yaml:2: web\.443 is no key of this file; what has a comma in it goes into quotes$/,
  );
});

test("what is no YAML is told by line, a key given twice too", () => {
  assert.throws(() => readConfig("name: [a\n", "agent.yaml", TABLE), /^ConfigError: agent\.yaml:\d: is no YAML: /);
  assert.throws(
    () => readConfig("name: a\nname: b\n", "agent.yaml", TABLE),
    /^ConfigError: agent\.yaml:2: name is given twice; remove one of them$/,
  );
  assert.throws(
    () => readConfig("name: a\nweb:\n  port: 80\nweb.port: 81\n", "agent.yaml", TABLE),
    /^ConfigError: agent\.yaml:4: web\.port is given twice; remove one of them$/,
  );
  assert.throws(() => readConfig("- a\n", "agent.yaml", TABLE), /must hold keys with values/);
});

test("a text that would take too long to read is not begun", () => {
  const keys = Array.from({ length: 12_000 }, (_, at) => `key${at}: 1\n`).join("");
  assert.throws(() => readConfig(keys, "agent.yaml", TABLE), {
    message: `agent.yaml:1: is ${keys.length} characters long: at most 100000 are read; shorten it`,
  });
});

test("mistakes between values are told with the others, a wrong value being taken as its default", () => {
  const read = (text: string) =>
    readConfig(text, "agent.yaml", { low: number(1), high: number(5) }, ({ low, high }, complain) => {
      if (low > high) complain(["low"], `is above high (${high}); lower it`);
    });
  assert.throws(() => read("high: x\nlow: 6\n"), {
    message:
      'agent.yaml:1: high is "x": must be a whole number of at least 0\nagent.yaml:2: low is above high (5); lower it',
  });
  assert.equal(read("high: 7\nlow: 6\n").low, 6);
});

function number(value: number) {
  return { kind: "number", default: value, description: "" } as const;
}

for (const [what, text] of [
  ["for nothing", "addresses: *nothing"],
  ["for itself", "addresses: &a [*a]"],
  ["for ever more", ["a: &a [x, x]", ...["b", "c", "d", "e", "f", "g", "h"].map(eightfold)].join("\n")],
] as const) {
  test(`an alias that stands ${what} is a mistake like any other`, () => {
    assert.throws(() => readConfig(text, "agent.yaml", TABLE), {
      name: "ConfigError",
      message: /^agent\.yaml:1: is no YAML that can be read: .*aliases stand for$/,
    });
  });
}

/** Eight times what the letter before stands for. */
function eightfold(letter: string): string {
  const before = `*${String.fromCharCode(letter.charCodeAt(0) - 1)}`;
  return `${letter}: &${letter} [${Array.from({ length: 8 }, () => before).join(", ")}]`;
}
