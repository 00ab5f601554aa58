import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, EXEMPT, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { agentFixture, enforcingFixture, machineFixture, START_SECONDS } from "./firewall.fixture.ts";

const EXEMPT_V4 = "fleetban-exempt-v4";
const FLEET_V4 = "fleetban-fleet-v4";
const FEEDS_V4 = "fleetban-feeds-v4";

test("no mirror is not an empty mirror: what the kernel holds stays untouched", async () => {
  const machine = machineFixture();
  const { kernel } = machine;
  await kernel.createSet({ name: FLEET_V4, family: 4, maxEntries: 100 });
  await kernel.sneak([{ kind: "add", set: FLEET_V4, prefix: parsePrefix("81.0.0.1"), timeoutSeconds: 900 }]);
  const agent = await agentFixture(machine);
  agent.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await agent.pass(60_000);
  assert.deepEqual(await kernel.entries(FLEET_V4), ["81.0.0.1"]);
  assert.equal(agent.firewall.state().rules.kind, "waiting");
  await agent.stop();
});

test("deny lists wait for the exempt list, and rules for it and for the own addresses", async () => {
  const agent = await agentFixture(machineFixture());
  const ensured: number[] = [];
  const inner = agent.kernel.ensureRules;
  agent.kernel.ensureRules = async (rules) => {
    ensured.push((await agent.kernel.entries(EXEMPT_V4)).length);
    assert.deepEqual(await agent.kernel.entries("fleetban-own-v4"), ["93.184.216.1"]);
    await inner(rules);
  };
  await agent.snapshot(FLEET, [listing("81.0.0.1")]);
  await agent.pass(5_000);
  assert.deepEqual(
    (await agent.kernel.headers()).filter(({ name }) => name === FLEET_V4),
    [],
  );
  await agent.snapshot(EXEMPT, [listing("81.0.0.9", 0, 1)]);
  await agent.pass(5_000);
  assert.deepEqual(ensured, []);
  agent.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await agent.pass(5_000);
  assert.deepEqual(await agent.kernel.entries(FLEET_V4), ["81.0.0.1"]);
  assert.ok(ensured.length > 0 && ensured.every((exempt) => exempt === 1), String(ensured));
  assert.equal(agent.firewall.state().rules.kind, "present");
  await agent.stop();
});

test("deltas reach the kernel, and the revision is enforced then", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] });
  await agent.delta(FLEET, [parsePrefix("81.0.0.1")], [listing("81.0.0.2"), listing("2a01::/64")]);
  await agent.settle();
  assert.deepEqual(await agent.kernel.entries(FLEET_V4), ["81.0.0.2"]);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v6"), ["2a01::/64"]);
  await agent.pass(0);
  assert.equal(agent.firewall.applied(FLEET.list)?.revision, 2);
  await agent.stop();
});

test("a restart of the agent changes nothing in the kernel when nothing changed", async () => {
  const machine = machineFixture();
  const lists = {
    exempt: [listing("81.0.0.9")],
    fleet: [listing("81.0.0.1", START_SECONDS + 7_200)],
    feeds: [listing("82.0.0.0/24")],
  };
  const agent = await enforcingFixture(lists, {}, machine);
  agent.firewall.addLocal(parsePrefix("81.0.0.77"), 600);
  await agent.pass(100);
  await agent.stop();
  const before = machine.kernel.batches.length;
  const again = await agentFixture(machine, {}, agent.mirror);
  again.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await again.pass(30_000);
  assert.deepEqual(machine.kernel.batches.slice(before), []);
  assert.deepEqual(await machine.kernel.entries("fleetban-local-v4"), ["81.0.0.77"]);
  assert.equal(again.firewall.state().rules.kind, "present");
  assert.equal(again.firewall.applied(FLEET.list)?.revision, 1);
  await again.pass(600_000);
  assert.deepEqual(await machine.kernel.entries("fleetban-local-v4"), []);
  await again.stop();
});

test("a list whose mirror is lost stays in force over a restart, and goes on when it is told anew", async () => {
  const machine = machineFixture();
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")], feeds: [listing("82.0.0.1")] }, {}, machine);
  await agent.stop();
  agent.mirror.removeList(FLEET.list); // as if its file were unreadable
  const again = await agentFixture(machine, {}, agent.mirror);
  again.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await again.pass(30_000);
  assert.deepEqual(await machine.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1"]);
  const rulesOf = async (name: string) => (await machine.kernel.headers()).find((set) => set.name === name)?.references;
  assert.equal(await rulesOf("fleetban-fleet-v4"), 1);
  await again.snapshot(FLEET, [listing("81.0.0.1"), listing("81.0.0.2")]);
  await again.pass(30_000);
  assert.deepEqual(await machine.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1", "81.0.0.2"]);
  assert.equal(again.firewall.applied(FLEET.list)?.revision, 1);
  assert.equal(await rulesOf("fleetban-fleet-v4"), 1);
  await again.stop();
});

test("a fresh ban overtakes a feed of 100,000 on a slow machine", async () => {
  const agent = await enforcingFixture();
  agent.kernel.msPerEntry = 0.05;
  await agent.snapshot(
    FEEDS,
    addresses(100_000).map((prefix) => listing(prefix, 0, 5)),
  );
  await agent.pass(3_000);
  const loaded = (await agent.kernel.entries(FEEDS_V4)).length;
  assert.ok(loaded > 1_000 && loaded < 90_000, `${loaded} loaded`);
  const beganMs = agent.clock.monotonicMs();
  await agent.delta(FLEET, [], [listing("83.0.0.1")]);
  await agent.pass(1_000);
  const urgent = agent.kernel.batches.find(({ ops }) => ops.some(({ prefix }) => prefix === "83.0.0.1"))!;
  assert.ok(urgent.atMs - beganMs < 50, `waited ${urgent.atMs - beganMs} ms`);
  await agent.pass(60_000);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 100_000);
  await agent.stop();
});
