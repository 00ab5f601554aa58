import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture } from "./firewall.fixture.ts";
import { DEFAULT_PACE } from "./pacing.ts";

const FLEET_V4 = "fleetban-fleet-v4";

test("a set that fills up grows by replacement; nothing in it is let in meanwhile, and urgent entries get their room", async () => {
  const agent = await enforcingFixture({ fleet: addresses(900).map((prefix) => listing(prefix)) });
  const header = async () => (await agent.kernel.headers()).find(({ name }) => name === FLEET_V4)!;
  const before = (await header()).maxEntries;
  let smallest = Number.POSITIVE_INFINITY;
  const swap = agent.kernel.swapSets;
  agent.kernel.swapSets = async (a, b) => {
    smallest = Math.min(smallest, (await agent.kernel.entries(b)).length, (await agent.kernel.entries(a)).length);
    await swap(a, b);
  };
  const fresh = addresses(5_000, 9);
  for (let at = 0; at < fresh.length; at += 500) {
    await agent.delta(
      FLEET,
      [],
      fresh.slice(at, at + 500).map((prefix) => listing(prefix)),
    );
    await agent.settle();
    await agent.pass(0);
    assert.equal((await agent.kernel.entries(FLEET_V4)).length, 900 + at + 500);
  }
  assert.ok((await header()).maxEntries > before && smallest >= 900, `${smallest}`);
  await agent.pass(5_000);
  assert.ok((await agent.kernel.headers()).every(({ name }) => !name.endsWith("-n")));
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("an entry that finds no room is wished again as soon as there is some", async () => {
  const agent = await enforcingFixture({ fleet: addresses(10).map((prefix) => listing(prefix)) });
  let left = 1;
  agent.kernel.refuse = ({ prefix, set }) =>
    set === FLEET_V4 && prefix === "83.0.0.1" && left-- > 0 ? "set-full" : undefined;
  await agent.delta(FLEET, [], [listing("83.0.0.1")]);
  await agent.pass(10);
  assert.ok(
    (await agent.kernel.entries(FLEET_V4)).includes(addresses(1, 3)[0]!) ||
      (await agent.kernel.entries(FLEET_V4)).includes(listing("83.0.0.1").prefix),
  );
  assert.equal((await agent.kernel.headers()).find(({ name }) => name === FLEET_V4)?.references, 1);
  await agent.stop();
});

test("a fresh ban that finds its set full, while a larger one is being filled at leisure, hurries the filling", async () => {
  const listed = addresses(1_760).map((prefix) => listing(prefix));
  const agent = await enforcingFixture(
    { fleet: listed.slice(0, 900) },
    { pace: { ...DEFAULT_PACE, minEntries: 8, maxEntries: 8, cpuShare: 0.01 } },
  );
  agent.kernel.msPerEntry = 0.5;
  await agent.delta(FLEET, [], listed.slice(900)); // of room for 1,924
  await agent.pass(2_000);
  const fresh = addresses(300, 7).map((prefix) => listing(prefix));
  await agent.delta(FLEET, [], fresh);
  await agent.pass(4_000); // at leisure, 8 entries each 400 ms, it would take 88 s
  const entries = new Set(await agent.kernel.entries(FLEET_V4));
  assert.equal(fresh.filter(({ prefix }) => entries.has(prefix)).length, fresh.length);
  await agent.stop();
});

test("what is removed and added while the replacement is filled is right in it", async () => {
  const agent = await enforcingFixture({ feeds: addresses(2_000).map((prefix) => listing(prefix)) });
  agent.kernel.msPerEntry = 0.05;
  const more = addresses(60_000, 5).map((prefix) => listing(prefix));
  await agent.snapshot(FEEDS, [...addresses(2_000).map((prefix) => listing(prefix)), ...more]);
  for (let round = 0; round < 20; round += 1) {
    const [gone, come] = [addresses(40)[round]!, addresses(40, 9)[round]!];
    await agent.delta(FEEDS, [gone], [listing(come)]);
    await agent.pass(137);
  }
  await agent.pass(120_000);
  const wanted = [...agent.held(FEEDS.list).blocklist.listings()].map(({ prefix }) => prefix).sort();
  assert.deepEqual(await agent.kernel.entries("fleetban-feeds-v4"), wanted);
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("a list that comes piece by piece is copied a few times, and nothing of it is refused", async () => {
  const agent = await enforcingFixture();
  agent.kernel.msPerEntry = 0.01;
  const all = addresses(40_000).map((prefix) => listing(prefix));
  let swaps = 0;
  const swap = agent.kernel.swapSets;
  agent.kernel.swapSets = async (a, b) => {
    swaps += 1;
    await swap(a, b);
  };
  let refused = 0;
  const apply = agent.kernel.apply;
  agent.kernel.apply = async (ops) => {
    const refusals = await apply(ops);
    refused += refusals.length;
    return refusals;
  };
  for (let at = 0; at < all.length; at += 2_000) await agent.delta(FEEDS, [], all.slice(at, at + 2_000));
  await agent.pass(10_000);
  assert.equal((await agent.kernel.entries("fleetban-feeds-v4")).length, all.length);
  assert.ok(swaps <= 6, `${swaps} swaps`);
  assert.equal(refused, 0);
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("a replacement that did not take an entry is given up, never swapped in", async () => {
  const agent = await enforcingFixture({ fleet: addresses(900).map((prefix) => listing(prefix)) });
  let refusals = 3;
  agent.kernel.refuse = ({ set }) => (set === `${FLEET_V4}-n` && refusals-- > 0 ? "set-full" : undefined);
  const fresh = addresses(3_000, 9).map((prefix) => listing(prefix));
  await agent.delta(FLEET, [], fresh);
  await agent.settle();
  await agent.pass(60_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 3_900);
  assert.equal(agent.firewall.state().drift.entries, 0);
  await agent.stop();
});

test("what a full set refuses and its replacement takes is no drift, whenever somebody reads the set", async () => {
  for (const takesRuns of [true, false]) {
    const agent = await enforcingFixture({ fleet: addresses(900).map((prefix) => listing(prefix)) });
    const { kernel, firewall } = agent;
    if (!takesRuns) delete kernel.addRun;
    const late = new Set(addresses(40, 9));
    kernel.refuse = ({ kind, set, prefix }) =>
      kind === "add" && set === FLEET_V4 && late.has(prefix) && agent.clock.monotonicMs() < readAtMs
        ? "set-full"
        : undefined;
    let readAtMs = Number.POSITIVE_INFINITY;
    let reading: Promise<unknown> = Promise.resolve();
    const swap = kernel.swapSets;
    kernel.swapSets = async (a, b) => {
      await swap(a, b);
      readAtMs = agent.clock.monotonicMs();
      reading = firewall.kernelDigest(FLEET.list);
    };
    kernel.msPerEntry = 0.2;
    const listings = [...addresses(900), ...late].map((prefix) => listing(prefix));
    if (takesRuns) await agent.snapshot(FLEET, listings);
    else await agent.delta(FLEET, [], listings.slice(900));
    await agent.pass(60_000);
    await reading;
    assert.ok(readAtMs < Number.POSITIVE_INFINITY, "the set grew");
    assert.deepEqual((await kernel.entries(FLEET_V4)).length, 940);
    assert.equal(firewall.state().drift.entries, 0);
    await agent.stop();
  }
});
