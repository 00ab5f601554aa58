import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture, START_SECONDS } from "./firewall.fixture.ts";

const SLOW = { reconcile: { checkMs: 30_000, readBackMs: 3_600_000 } };
const FEEDS_V4 = "fleetban-feeds-v4";

test("an open-ended listing outlives many leases without a gap", async () => {
  const agent = await enforcingFixture(
    { feeds: addresses(500).map((prefix) => listing(prefix)), exempt: [listing("81.0.0.1")] },
    SLOW,
  );
  for (let hour = 0; hour < 60; hour += 1) {
    await agent.pass(3_600_000);
    const timeouts = await agent.kernel.timeouts(FEEDS_V4);
    assert.equal(timeouts.size, 500);
    assert.ok([...timeouts.values()].every((seconds) => seconds <= 3_600));
    assert.equal((await agent.kernel.entries("fleetban-exempt-v4")).length, 1);
  }
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("an entry is written no more often than its lease asks for", async () => {
  const agent = await enforcingFixture({ feeds: addresses(500).map((prefix) => listing(prefix)) }, SLOW);
  const before = agent.kernel.batches.flatMap(({ ops }) => ops).length;
  await agent.pass(36_000_000); // ten leases
  const written = (agent.kernel.batches.flatMap(({ ops }) => ops).length - before) / 500;
  assert.ok(written >= 10 && written <= 25, `${written} times each`);
  await agent.stop();
});

test("a listing ends on time though its lease would last longer, and nothing is deleted for it", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1", START_SECONDS + 1_000)] }, SLOW);
  await agent.pass(930_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1"]);
  await agent.pass(20_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), []);
  assert.ok(agent.kernel.batches.every(({ ops }) => ops.every(({ kind }) => kind === "add")));
  await agent.stop();
});

test("an extension with less than ten minutes left is urgent, with more it is bulk", async () => {
  const fleet = [listing("81.0.0.1", START_SECONDS + 500), listing("81.0.0.2", START_SECONDS + 1_500)];
  const agent = await enforcingFixture({ fleet }, SLOW);
  agent.kernel.msPerEntry = 1;
  await agent.snapshot(
    FEEDS,
    addresses(20_000, 9).map((prefix) => listing(prefix)),
  );
  await agent.pass(3_000);
  const [beganMs, later] = [agent.clock.monotonicMs(), START_SECONDS + 90_000];
  await agent.delta(FLEET, [], [listing("81.0.0.1", later), listing("81.0.0.2", later)]);
  await agent.pass(500);
  const waitedFor = (text: string) => {
    const batch = agent.kernel.batches.findLast(({ ops }) => ops.some(({ prefix }) => prefix === parsePrefix(text)))!;
    return batch.atMs - beganMs;
  };
  assert.ok(waitedFor("81.0.0.1") >= 0 && waitedFor("81.0.0.1") < 100, `${waitedFor("81.0.0.1")} ms`);
  await agent.pass(200_000);
  assert.ok(waitedFor("81.0.0.2") > waitedFor("81.0.0.1"));
  assert.ok((await agent.kernel.timeouts("fleetban-fleet-v4")).get(parsePrefix("81.0.0.1"))! > 3_000);
  await agent.stop();
});

test("a listing shortened by the ledger ends sooner in the kernel, too", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] }, SLOW);
  await agent.delta(FLEET, [], [listing("81.0.0.1", START_SECONDS + 200)]);
  await agent.pass(150_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), []);
  await agent.stop();
});

test("entries that ran out while the machine stood still come back", async () => {
  const agent = await enforcingFixture({ feeds: addresses(20).map((prefix) => listing(prefix)) });
  await agent.kernel.sneak(
    addresses(20).map((prefix) => ({ kind: "add" as const, set: FEEDS_V4, prefix, timeoutSeconds: 1 })),
  );
  await agent.pass(3_000);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 20);
  await agent.stop();
});

test("an entry that ran out because its renewal was refused is written again when it is gone", async () => {
  const agent = await enforcingFixture({ feeds: addresses(20).map((prefix) => listing(prefix)) });
  agent.kernel.refuse = ({ set }) => (set === FEEDS_V4 ? "kernel-refused" : undefined);
  await agent.pass(3_530_000);
  agent.kernel.refuse = () => undefined;
  await agent.pass(30_000);
  assert.equal((await agent.kernel.entries(FEEDS_V4)).length, 20);
  assert.equal(agent.firewall.applied(FEEDS.list)?.refused, 0);
  await agent.stop();
});

test("a ledger whose clock jumps ahead deletes nothing", async () => {
  const fleet = [listing("81.0.0.1", START_SECONDS + 3_000), listing("81.0.0.2")];
  const agent = await enforcingFixture({ fleet });
  agent.ledger.aheadMs = 36_000_000;
  await agent.snapshot(FLEET, fleet);
  await agent.pass(60_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-fleet-v4"), ["81.0.0.1", "81.0.0.2"]);
  await agent.stop();
});
