import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "./config.ts";

const none = () => Promise.reject(Object.assign(new Error("no such file"), { code: "ENOENT" }));

async function mistakes(text: string, readFile: (path: string) => Promise<string> = none): Promise<string> {
  try {
    await loadConfig(text, "c.yaml", readFile);
  } catch (error) {
    return (error as Error).message;
  }
  return "(none)";
}

test("an empty file is a whole configuration", async () => {
  const config = await loadConfig("", "c.yaml", none);
  assert.equal(config["listen.fleet_port"], 7741);
  assert.equal(config["web.host"], "127.0.0.1");
  assert.equal(config.database_url, undefined);
  assert.equal(config.retention, 30 * 86_400_000);
});

test("all mistakes are told at once, each with file, line, key, value and remedy", async () => {
  const text = "listen:\n  fleet_prot: 7741\n  enrollment_port: 70000\ndatabase_url: mysql://x\nlog_level: loud\n";
  assert.deepEqual((await mistakes(text)).split("\n"), [
    "c.yaml:2: listen.fleet_prot is no key of this file; did you mean listen.fleet_port?",
    "c.yaml:3: listen.enrollment_port is 70000: must be a whole number from 1 to 65535",
    'c.yaml:4: database_url is "mysql://x": must begin with postgres://',
    'c.yaml:5: log_level is "loud": must be one of debug, info, warn, error',
  ]);
});

test("a key of the policy is told where it belongs", async () => {
  const text = "weights: { jail: 2 }\nfeeds:\n  abuseipdb: { mode: observe }\n  drop: {}\nreport: { mode: send }\n";
  const belongs = "is no key of this file; it belongs into the policy: fleetban policy apply";
  assert.deepEqual((await mistakes(text)).split("\n"), [
    `c.yaml:1: weights ${belongs}`,
    `c.yaml:3: feeds.abuseipdb.mode ${belongs}`,
    `c.yaml:4: feeds.drop ${belongs}`,
    `c.yaml:5: report ${belongs}`,
  ]);
});

test("a secret may stand in a file of its own", async () => {
  const text = "feeds: { abuseipdb: { key_file: /etc/key } }\n";
  const config = await loadConfig(text, "c.yaml", async () => "  secret\n");
  assert.equal(config["feeds.abuseipdb.key"], "secret");
  assert.match(await mistakes(text), /key_file is "\/etc\/key": cannot be read: there is no such file/);
  assert.match(await mistakes(text, async () => "\n"), /is empty; put the secret into it/);
  assert.match(await mistakes("database_url: postgres://a\ndatabase_url_file: /b\n"), /are both given; remove one/);
});

test("values that contradict each other are told by both names", async () => {
  assert.match(
    await mistakes("listen.fleet_port: 7742\n"),
    /listen\.fleet_port and listen\.enrollment_port are both 7742: each needs a port of its own/,
  );
  assert.match(await mistakes("web.port: 7741\n"), /listen\.fleet_port and web\.port are both 7741/);
});
