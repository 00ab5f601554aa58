import assert from "node:assert/strict";
import { test } from "node:test";
import type { Epoch } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, EXEMPT, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { agentFixture, enforcingFixture, machineFixture, START_SECONDS } from "./firewall.fixture.ts";

const FLEET_V4 = "fleetban-fleet-v4";
const EXEMPT_V4 = "fleetban-exempt-v4";
const LEASE = 3_600;
const SLOW = { reconcile: { checkMs: 20_000, readBackMs: 100_000 } };
const MANY = addresses(300);
const LISTED = MANY.map((prefix) => listing(prefix));

test("a delta that takes away more than half is mirrored and not carried out; the entries end with their leases", async () => {
  const agent = await enforcingFixture({ fleet: LISTED }, SLOW);
  await agent.delta(FLEET, MANY.slice(0, 200), []);
  await agent.pass(60_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 300);
  assert.equal(agent.held(FLEET.list).blocklist.size, 100);
  assert.equal(agent.firewall.applied(FLEET.list)?.kept, 200);
  await agent.pass(LEASE * 1_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 100);
  assert.equal(agent.firewall.applied(FLEET.list)?.kept, 0);
  await agent.stop();
});

test("half of them, a hundred, and whatever an operator approved go at once", async () => {
  const half = await enforcingFixture({ fleet: LISTED });
  await half.delta(FLEET, MANY.slice(0, 150), []);
  await half.pass(1_000);
  assert.equal((await half.kernel.entries(FLEET_V4)).length, 150);
  await half.stop();
  const few = await enforcingFixture({ fleet: LISTED.slice(0, 100) });
  await few.delta(FLEET, MANY.slice(0, 100), []);
  await few.pass(1_000);
  assert.equal((await few.kernel.entries(FLEET_V4)).length, 0);
  await few.stop();
  const approved = await enforcingFixture({ fleet: LISTED });
  await approved.delta(FLEET, MANY, [], true);
  await approved.pass(1_000);
  assert.equal((await approved.kernel.entries(FLEET_V4)).length, 0);
  await approved.stop();
});

test("slices of one plan are judged together: a list can't be emptied piece by piece", async () => {
  const agent = await enforcingFixture({ fleet: LISTED });
  for (let at = 0; at < 300; at += 50) await agent.delta(FLEET, MANY.slice(at, at + 50), []);
  await agent.pass(10_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 150);
  await agent.stop();
});

test("entries that have ended do not count as taken away", async () => {
  const mixed = LISTED.map((one, n) => (n < 200 ? listing(one.prefix, START_SECONDS + 600) : one));
  const agent = await enforcingFixture({ fleet: mixed });
  await agent.pass(700_000);
  await agent.delta(FLEET, MANY.slice(0, 250), []); // 200 have ended, 50 of 100 are in force
  await agent.pass(1_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 50);
  await agent.stop();
});

test("an empty snapshot, of an emptied or restored ledger, empties nothing", async () => {
  const agent = await enforcingFixture({ feeds: LISTED });
  await agent.snapshot(FEEDS, [], { epoch: "f".repeat(32) as Epoch });
  await agent.pass(60_000);
  assert.equal((await agent.kernel.entries("fleetban-feeds-v4")).length, 300);
  assert.equal(agent.firewall.applied(FEEDS.list)?.kept, 300);
  await agent.stop();
});

test("what is kept stays kept over a restart and over a read-back, and is wanted again when it is listed again", async () => {
  const machine = machineFixture();
  const first = await enforcingFixture({ fleet: LISTED }, {}, machine);
  await first.delta(FLEET, MANY, []);
  await first.pass(5_000);
  await first.stop();
  const agent = await agentFixture(machine, { reconcile: { checkMs: 1_000, readBackMs: 10_000 } }, first.mirror);
  agent.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await agent.pass(60_000);
  assert.equal(agent.firewall.applied(FLEET.list)?.kept, 300);
  await agent.delta(FLEET, [], LISTED.slice(0, 10));
  await agent.pass(1_000);
  assert.equal(agent.firewall.applied(FLEET.list)?.kept, 290);
  await agent.delta(FLEET, MANY.slice(0, 10), []);
  await agent.pass(1_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 290);
  await agent.stop();
});

test("what another epoch exempted stays beside the new for its lease; within one epoch a pardon's end is carried out", async () => {
  const agent = await enforcingFixture({ exempt: [listing("81.0.0.1"), listing("81.0.0.2")] }, SLOW);
  await agent.delta(EXEMPT, [parsePrefix("81.0.0.2")], []);
  await agent.pass(1_000);
  assert.deepEqual(await agent.kernel.entries(EXEMPT_V4), ["81.0.0.1"]);
  await agent.snapshot(EXEMPT, [listing("81.0.0.3")], { epoch: "f".repeat(32) as Epoch });
  await agent.pass(60_000);
  assert.deepEqual(await agent.kernel.entries(EXEMPT_V4), ["81.0.0.1", "81.0.0.3"]);
  await agent.pass((LEASE + 86_400) * 1_000);
  assert.deepEqual(await agent.kernel.entries(EXEMPT_V4), ["81.0.0.3"]);
  await agent.stop();
});

test("an exemption wider than /8 or /24 waits for approval, which is remembered", async () => {
  const machine = machineFixture();
  const first = await enforcingFixture({ exempt: [listing("80.0.0.0/7"), listing("81.0.0.0/8")] }, {}, machine);
  assert.deepEqual(await machine.kernel.entries(EXEMPT_V4), ["81.0.0.0/8"]);
  assert.equal(first.firewall.applied(EXEMPT.list)?.refused, 1);
  assert.deepEqual(first.firewall.addLocal(parsePrefix("80.0.0.1"), 60), { kind: "enforced" });
  await first.delta(EXEMPT, [], [listing("2a00::/23"), listing("2b00::/24")]);
  await first.pass(1_000);
  assert.deepEqual(await machine.kernel.entries("fleetban-exempt-v6"), ["2b00::/24"]);
  await first.delta(EXEMPT, [], [listing("80.0.0.0/7", START_SECONDS + 999_999)], true);
  await first.pass(1_000);
  assert.deepEqual(await machine.kernel.entries(EXEMPT_V4), ["80.0.0.0/7", "81.0.0.0/8"]);
  assert.deepEqual(await machine.kernel.entries("fleetban-local-v4"), []);
  await first.stop();
  const agent = await agentFixture(machine, {}, first.mirror);
  await agent.pass(10_000);
  assert.deepEqual(await machine.kernel.entries(EXEMPT_V4), ["80.0.0.0/7", "81.0.0.0/8"]);
  assert.equal(agent.firewall.applied(EXEMPT.list)?.refused, 1);
  await agent.stop();
});

test("a list that is withdrawn stays in force until its entries have ended, over a restart too; then rule and sets go", async () => {
  const machine = machineFixture();
  const first = await enforcingFixture({ fleet: LISTED }, SLOW, machine);
  await first.firewall.onRemoved(first.mirror.removeList(FLEET.list)!, false);
  await first.pass(30_000);
  assert.equal(first.firewall.state().lists.find(({ withdrawn }) => withdrawn)?.kept, 300);
  await first.stop();
  const agent = await agentFixture(machine, SLOW, first.mirror);
  agent.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await agent.pass(60_000);
  assert.equal((await machine.kernel.entries(FLEET_V4)).length, 300);
  const rule = async () => (await machine.kernel.headers()).find(({ name }) => name === FLEET_V4)?.references;
  assert.equal(await rule(), 1);
  await agent.pass(LEASE * 1_000);
  assert.equal(await rule(), undefined);
  assert.equal(agent.firewall.state().rules.kind, "present");
  await agent.stop();
});

test("a list that is withdrawn with approval goes at once, and comes back when it is sent again", async () => {
  const agent = await enforcingFixture({ fleet: LISTED });
  const removed = agent.firewall.onRemoved(agent.mirror.removeList(FLEET.list)!, true);
  await agent.pass(1_000);
  await removed;
  assert.ok(!(await agent.kernel.headers()).some(({ name }) => name === FLEET_V4));
  await agent.snapshot(FLEET, LISTED);
  await agent.pass(10_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 300);
  assert.equal(agent.firewall.state().rules.kind, "present");
  await agent.stop();
});
