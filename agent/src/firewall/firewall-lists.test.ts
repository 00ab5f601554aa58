import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { listFixture, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture } from "./firewall.fixture.ts";

test("a list whose effect, reach or required feature is unknown is mirrored, reported and not enforced", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] });
  const unknown = [
    listFixture(7, "odd-effect", "unknown"),
    listFixture(8, "odd-reach", "deny", { reach: { kind: "unknown" } }),
    listFixture(9, "odd-feature", "deny", { requires: [99] }),
  ];
  for (const list of unknown) await agent.snapshot(list, [listing("82.0.0.1")]);
  await agent.pass(10_000);
  const states = agent.firewall.state().lists.filter(({ list }) => list >= 7);
  assert.deepEqual(
    states.map(({ unsupported, kernelEntries }) => [unsupported, kernelEntries]),
    Array(3).fill([true, 0]),
  );
  assert.ok(!(await agent.kernel.headers()).some(({ name }) => name.includes("odd")));
  assert.equal(agent.firewall.applied(unknown[0]!.list)?.unsupported, true);
  await agent.stop();
});

test("a list that becomes understood is enforced, and one that no longer is loses its rule", async () => {
  const agent = await enforcingFixture();
  const list = listFixture(7, "canary", "deny", { requires: [99] });
  const redefine = async (changes: Partial<typeof list>) => {
    agent.mirror.setLists([{ ...list, ...changes }]);
    const redefined = agent.firewall.onLists();
    await agent.pass(5_000);
    await redefined;
  };
  await agent.snapshot(list, [listing("82.0.0.1")]);
  await redefine({ requires: [] });
  const header = async () => (await agent.kernel.headers()).find(({ name }) => name === "fleetban-canary-v4");
  assert.deepEqual([(await header())?.entries, (await header())?.references], [1, 1]);
  await redefine({ requires: [99] });
  assert.equal((await header())?.references, 0);
  await agent.stop();
});

test("a list by ports gets its own rule", async () => {
  const agent = await enforcingFixture();
  const reach = { kind: "ports", protocol: "tcp", ranges: [{ first: 25, last: 25 }] } as const;
  const wanted: unknown[] = [];
  const inner = agent.kernel.ensureRules;
  agent.kernel.ensureRules = async (rules) => {
    wanted.push(...rules.map((rule) => [rule.deny[4], rule.reach.kind, rule.except.map((pair) => pair[4])]));
    await inner(rules);
  };
  await agent.snapshot(listFixture(7, "mail", "deny", { reach }), [listing("82.0.0.1")]);
  await agent.pass(5_000);
  const except = ["fleetban-exempt-v4", "fleetban-own-v4"];
  assert.deepEqual(wanted, [
    ["fleetban-fleet-v4", "all-traffic", except],
    ["fleetban-feeds-v4", "all-traffic", except],
    ["fleetban-mail-v4", "ports", except],
    ["fleetban-local-v4", "all-traffic", except],
  ]);
  await agent.stop();
});

test("a probe puts a documentation address into a real set and out again; no other address, on its list neither", async () => {
  const agent = await enforcingFixture();
  const applied = agent.kernel.batches.length;
  const probed = agent.firewall.probe(parsePrefix("192.0.2.7"));
  await agent.pass(10);
  const { addedUs, testedUs, removedUs, ruleState } = await probed;
  assert.deepEqual([addedUs >= 0, testedUs >= 0, removedUs >= 0, ruleState.kind], [true, true, true, "present"]);
  assert.deepEqual(
    agent.kernel.batches.slice(applied).map(({ ops }) => `${ops[0]!.kind} ${ops[0]!.set}`),
    ["add fleetban-probe-v4", "remove fleetban-probe-v4"],
  );
  for (const text of ["81.0.0.1", "192.0.2.0/24"])
    await assert.rejects(agent.firewall.probe(parsePrefix(text)), { code: "bad-probe" });
  const list = listFixture(4, "probe", "deny", { documentationOnly: true });
  await agent.snapshot(list, [listing("198.51.100.1"), listing("81.0.0.1")]);
  await agent.pass(5_000);
  assert.deepEqual(await agent.kernel.entries("fleetban-probe-v4"), ["198.51.100.1"]);
  assert.equal(agent.firewall.applied(list.list)?.refused, 1);
  await agent.stop();
});

test("a list by ports is not enforced, and reported, where the backend can't tell ports", async () => {
  const agent = await enforcingFixture();
  const reach = { kind: "ports", protocol: "tcp", ranges: [{ first: 25, last: 25 }] } as const;
  agent.kernel.enforces = ({ kind }) => kind === "all-traffic";
  await agent.snapshot(listFixture(7, "mail", "deny", { reach }), [listing("82.0.0.1")]);
  await agent.pass(5_000);
  const states = agent.firewall.state().lists.map(({ name, unsupported }) => [name, unsupported]);
  assert.ok(states.some(([name, unsupported]) => name === "mail" && unsupported === true));
  assert.ok(states.every(([name, unsupported]) => name === "mail" || unsupported === false));
  assert.ok(!(await agent.kernel.headers()).some(({ name }) => name.includes("mail")));
  await agent.stop();
});
