import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, EXEMPT, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture, START_SECONDS } from "./firewall.fixture.ts";

const FEEDS_V4 = "fleetban-feeds-v4";
const LISTED = addresses(5_000).map((prefix) => listing(prefix));

test("an emptied set is full again within two seconds", async () => {
  const agent = await enforcingFixture({ feeds: addresses(100_000).map((prefix) => listing(prefix)) });
  await agent.kernel.flush(FEEDS_V4);
  await agent.pass(2_000);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 100_000);
  assert.deepEqual(agent.firewall.state().drift, { entries: 100_000, sets: 1, rules: 0 });
  await agent.stop();
});

test("a destroyed set and its rule are back within two seconds", async () => {
  const agent = await enforcingFixture({ feeds: LISTED });
  await agent.kernel.destroy(FEEDS_V4);
  await agent.pass(2_000);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 5_000);
  assert.equal((await agent.kernel.headers()).find(({ name }) => name === FEEDS_V4)?.references, 1);
  assert.equal(agent.firewall.state().drift.rules, 1);
  await agent.stop();
});

test("rules that somebody removed are back within two seconds, and counted", async () => {
  const agent = await enforcingFixture({ feeds: LISTED });
  await agent.kernel.dropRules();
  await agent.pass(2_000);
  assert.equal((await agent.kernel.headers()).find(({ name }) => name === FEEDS_V4)?.references, 1);
  assert.equal(agent.firewall.state().drift.rules, 1);
  await agent.stop();
});

test("one entry more or less is found by the count; one exchanged for another by reading back", async () => {
  const agent = await enforcingFixture({ feeds: LISTED }, { reconcile: { checkMs: 1_000, readBackMs: 100_000 } });
  const [gone, foreign] = [LISTED[7]!.prefix, parsePrefix("99.0.0.1")];
  const remove = { kind: "remove" as const, set: FEEDS_V4, prefix: gone };
  const add = { kind: "add" as const, set: FEEDS_V4, prefix: foreign, timeoutSeconds: 9_000 };
  const isRight = async () => {
    const entries = new Set(await agent.kernel.entries(FEEDS_V4));
    return entries.size === 5_000 && entries.has(gone) && !entries.has(foreign);
  };
  await agent.kernel.sneak([remove]);
  await agent.pass(2_000);
  assert.ok(await isRight());
  await agent.kernel.sneak([add]);
  await agent.pass(2_000);
  assert.ok(await isRight());
  await agent.kernel.sneak([remove, add]);
  await agent.pass(2_000);
  assert.equal(await isRight(), false);
  await agent.pass(300_000);
  assert.ok(await isRight());
  assert.equal(agent.firewall.state().drift.entries, 4);
  await agent.stop();
});

test("in a set too large to be read whole a foreign entry is found by the count, also beside one that is missing", async () => {
  const listings = addresses(25_000).map((prefix) => listing(prefix));
  const agent = await enforcingFixture({ feeds: listings }, { reconcile: { checkMs: 1_000, readBackMs: 100_000 } });
  const [gone, foreign] = [listings[7]!.prefix, parsePrefix("99.0.0.1")];
  const add = { kind: "add" as const, set: FEEDS_V4, prefix: foreign, timeoutSeconds: 9_000 };
  const isRight = async () => {
    const entries = new Set(await agent.kernel.entries(FEEDS_V4));
    return entries.size === 25_000 && entries.has(gone) && !entries.has(foreign);
  };
  await agent.kernel.sneak([add]);
  await agent.pass(2_000);
  assert.ok(await isRight());
  await agent.kernel.sneak([{ kind: "remove", set: FEEDS_V4, prefix: gone }, add]);
  await agent.pass(2_000);
  assert.equal(await isRight(), false);
  await agent.pass(300_000);
  assert.ok(await isRight());
  assert.equal(agent.firewall.state().drift.entries, 3);
  await agent.stop();
});

test("entries that end by themselves are no drift", async () => {
  const ending = addresses(50).map((prefix, n) => listing(prefix, START_SECONDS + 70 + n));
  const agent = await enforcingFixture({ fleet: ending });
  await agent.pass(200_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), []);
  assert.equal(agent.held(FLEET.list).blocklist.size, 50);
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("a refused entry is named and counted, is not tried again and again, and is tried when its listing changes", async () => {
  const agent = await enforcingFixture();
  agent.kernel.refuse = ({ prefix }) => (prefix === "81.0.0.1" ? "kernel-refused" : undefined);
  await agent.delta(FLEET, [], [listing("81.0.0.1"), listing("81.0.0.2")]);
  await agent.pass(60_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.2"]);
  assert.equal(agent.firewall.applied(FLEET.list)?.refused, 1);
  const tries = agent.kernel.batches.flatMap(({ ops }) => ops).filter(({ prefix }) => prefix === "81.0.0.1").length;
  assert.equal(tries, 1);
  agent.kernel.refuse = () => undefined;
  await agent.delta(FLEET, [], [listing("81.0.0.1", START_SECONDS + 9_000)]);
  await agent.pass(0);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1", "81.0.0.2"]);
  assert.equal(agent.firewall.applied(FLEET.list)?.refused, 0);
  await agent.stop();
});

test("what no list may ban is refused by the agent itself, whoever listed it", async () => {
  const agent = await enforcingFixture();
  await agent.delta(
    FLEET,
    [],
    [
      listing("10.0.0.0/8"),
      listing("0.0.0.0/1"),
      listing("64.0.0.0/7"),
      listing("81.0.0.1"),
      listing("fe80::/10"),
      listing("2a00::/18"),
    ],
  );
  await agent.pass(1_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1"]);
  assert.equal(agent.firewall.applied(FLEET.list)?.refused, 5);
  await agent.delta(EXEMPT, [], [listing("10.0.0.0/8", 0, 0)]); // exempting it is fine
  await agent.pass(1_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-exempt-v4"), ["10.0.0.0/8"]);
  await agent.stop();
});

test("a kernel that is away for a while gets everything when it is back", async () => {
  const agent = await enforcingFixture();
  agent.kernel.failures = 20;
  await agent.delta(FLEET, [], [listing("81.0.0.1")]);
  await agent.snapshot(FEEDS, LISTED);
  await agent.pass(5_000);
  assert.equal(agent.firewall.state().failure, "the kernel is away");
  await agent.pass(300_000);
  assert.equal(agent.firewall.state().failure, undefined);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1"]);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 5_000);
  await agent.stop();
});
