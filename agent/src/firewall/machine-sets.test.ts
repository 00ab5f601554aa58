import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { deltaOnto, EXEMPT, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { agentFixture, enforcingFixture, machineFixture, START_SECONDS } from "./firewall.fixture.ts";

const LOCAL_V4 = "fleetban-local-v4";
const OWN_V4 = "fleetban-own-v4";

test("a local sighting is in the kernel at once, until the ban's own end", async () => {
  const agent = await enforcingFixture();
  assert.deepEqual(agent.firewall.addLocal(parsePrefix("81.0.0.1"), 600), { kind: "enforced" });
  await agent.settle();
  assert.deepEqual([...(await agent.kernel.timeouts(LOCAL_V4))], [["81.0.0.1", 600]]);
  agent.firewall.addLocal(parsePrefix("81.0.0.1"), 900); // prolonged
  await agent.pass(0);
  assert.deepEqual([...(await agent.kernel.timeouts(LOCAL_V4))], [["81.0.0.1", 900]]);
  agent.firewall.addLocal(parsePrefix("81.0.0.1"), 60); // another jail bans it for shorter
  await agent.pass(0);
  assert.deepEqual([...(await agent.kernel.timeouts(LOCAL_V4))], [["81.0.0.1", 900]]);
  await agent.pass(901_000);
  assert.deepEqual(await agent.kernel.entries(LOCAL_V4), []);
  await agent.stop();
});

test("a ban for ever, or of unknown length, lives as long as local entries may", async () => {
  const agent = await enforcingFixture({}, { localSeconds: 7_200 });
  for (const seconds of [-1, 0, 9_999_999])
    agent.firewall.addLocal(parsePrefix(`81.0.0.${seconds === -1 ? 9 : seconds % 7}`), seconds);
  await agent.pass(0);
  assert.deepEqual(new Set((await agent.kernel.timeouts(LOCAL_V4)).values()), new Set([7_200]));
  await agent.stop();
});

test("never against what is special-purpose, this machine's own, or exempt", async () => {
  const exempt = [
    listing("82.0.0.0/16", 0, 0),
    listing("83.0.0.1", START_SECONDS + 600, 1),
    listing("2a01:4f8::/32", 0, 3),
  ];
  const agent = await enforcingFixture({ exempt });
  const refused = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "fe80::1",
    "203.0.113.7",
    "93.184.216.1",
    "82.0.3.4",
    "83.0.0.1",
    "2a01:4f8:1::9",
    "81.0.0.0/24",
  ];
  for (const text of refused) {
    const outcome = agent.firewall.addLocal(parsePrefix(text), 600);
    assert.equal(outcome.kind, "refused", text);
  }
  assert.deepEqual(agent.firewall.addLocal(parsePrefix("83.0.0.2"), 600), { kind: "enforced" });
  await agent.pass(700_000); // the pardon of 83.0.0.1 has ended
  assert.deepEqual(agent.firewall.addLocal(parsePrefix("83.0.0.1"), 600), { kind: "enforced" });
  await agent.stop();
});

test("a pardon that arrives takes the local entry away, alone, in a network, or in a snapshot", async () => {
  const agent = await enforcingFixture();
  for (const text of ["81.0.0.1", "82.0.0.1", "83.0.0.1", "84.0.0.1"]) agent.firewall.addLocal(parsePrefix(text), 600);
  await agent.delta(EXEMPT, [], [listing("81.0.0.1", 0, 1), listing("82.0.0.0/24", 0, 0)]);
  await agent.settle();
  assert.deepEqual(await agent.kernel.entries(LOCAL_V4), ["83.0.0.1", "84.0.0.1"]);
  await agent.snapshot(EXEMPT, [listing("83.0.0.1", 0, 1)]);
  await agent.pass(1_000);
  assert.deepEqual(await agent.kernel.entries(LOCAL_V4), ["84.0.0.1"]);
  agent.firewall.removeLocal(parsePrefix("84.0.0.1"));
  await agent.settle();
  assert.deepEqual(await agent.kernel.entries(LOCAL_V4), []);
  await agent.stop();
});

test("the exempt entry of a pardon is in the kernel before the listing that it is a hole in", async () => {
  const agent = await enforcingFixture();
  const [network, hole] = [listing("81.0.0.0/24"), listing("81.0.0.9", 0, 3)];
  const ban = await agent.mirror.applyDelta(deltaOnto(agent.held(FLEET.list), [], [network]));
  const pardon = await agent.mirror.applyDelta(deltaOnto(agent.held(EXEMPT.list), [], [hole]));
  agent.firewall.onDelta(FLEET.list, ban.kind === "applied" ? ban.changes : [], false);
  agent.firewall.onDelta(EXEMPT.list, pardon.kind === "applied" ? pardon.changes : [], false);
  await agent.settle();
  const added = agent.kernel.batches.flatMap(({ ops }) => ops).map(({ prefix }) => prefix);
  assert.ok(added.indexOf(parsePrefix("81.0.0.9")) < added.indexOf(parsePrefix("81.0.0.0/24")), added.join(" "));
  await agent.stop();
});

test("own addresses follow the machine, and come back when somebody empties the set", async () => {
  const agent = await enforcingFixture();
  agent.firewall.setOwn([parsePrefix("93.184.216.2"), parsePrefix("2a02::/64")]);
  await agent.settle();
  assert.deepEqual(await agent.kernel.entries(OWN_V4), ["93.184.216.2"]);
  await agent.kernel.flush(OWN_V4);
  await agent.kernel.flush(LOCAL_V4);
  await agent.pass(2_000);
  assert.deepEqual(await agent.kernel.entries(OWN_V4), ["93.184.216.2"]);
  await agent.stop();
});

test("local entries survive the agent's restart and an emptied set", async () => {
  const machine = machineFixture();
  const first = await enforcingFixture({}, {}, machine);
  first.firewall.addLocal(parsePrefix("81.0.0.1"), 600);
  await first.pass(100_000);
  await first.stop();
  const agent = await agentFixture(machine, {}, first.mirror);
  await agent.pass(1_000);
  await agent.kernel.flush(LOCAL_V4);
  await agent.pass(2_000);
  const left = (await agent.kernel.timeouts(LOCAL_V4)).get(parsePrefix("81.0.0.1"))!;
  assert.ok(left > 490 && left <= 500, String(left));
  await agent.stop();
});
