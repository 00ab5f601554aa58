/**
 * A banned address sends a packet every 5 ms while the agent is stopped, killed, upgraded and started, and while others
 * reload rules that they had saved: none is delivered (invariant 4).
 */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bundle } from "../../tools/build/bundle.ts";
import { bundleFile, PROGRAMS } from "../../tools/build/programs.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, type Receiver, startReceiver, startSender } from "../support/fleet/packets.ts";
import { programPath } from "../support/fleet/programs.ts";

const skip = needs();
const EVERY_MS = 5;
const RESTARTS = 3;
const NEXT_VERSION = "99.1.0-next";

let fleet: Fleet;
let agent: FleetAgent;
let receiver: Receiver;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  agent = await fleet.agent(1, { config: { backend: "ipset" } });
  await agent.start();
  receiver = await startReceiver(agent.host);
  startSender(await fleet.network.host("attacker", [ATTACKER]), [serverAddress(1)], EVERY_MS);
  startSender(await fleet.network.host("witness", [WITNESS]), [serverAddress(1)], EVERY_MS);
  await arrives(receiver, ATTACKER);
  await fleet.coordinator.cli(["ban", ATTACKER, "--reason", "test", "--wait"]);
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("the agent is stopped and started", { skip }, async () => {
  await nobodyGetsIn(async () => {
    await agent.stop();
    await agent.start();
  });
});

test("the agent is killed, also while it starts, and started", { skip }, async () => {
  await nobodyGetsIn(async () => {
    for (let times = 0; times < RESTARTS; times += 1) {
      await agent.kill9();
      const logged = (await agent.log()).length;
      agent.launch();
      await eventually("it has begun", async () => (await agent.log()).length > logged);
    }
    await agent.kill9();
    await agent.start();
  });
});

test("the agent is upgraded to another version, and back", { skip }, async () => {
  const next = join(fleet.dir, "next");
  await cp(join(programPath("fleetban-agent"), "../.."), next, { recursive: true, verbatimSymlinks: true });
  const build = PROGRAMS.find(({ name }) => name === "fleetban-agent")!;
  await bundle(build, join(next, bundleFile(build)), NEXT_VERSION);
  const enforcing = (version: string) => async () => {
    const status = await agent.status();
    return status.version === version && status.firewall.rules === "present" && status.link.kind === "online";
  };
  const { version } = await agent.status();
  assert.notEqual(version, NEXT_VERSION);
  await nobodyGetsIn(async () => {
    await agent.stop();
    const env = { ...process.env, FLEETBAN_NODE: process.execPath };
    const args = ["run", "--config", agent.configFile];
    const upgraded = agent.host.spawn(join(next, "bin/fleetban-agent"), args, { env });
    await eventually("the next version enforces", enforcing(NEXT_VERSION));
    const listed = await fleet.coordinator.cli(["agents", "list", "--json"]);
    assert.ok(JSON.stringify(listed).includes(NEXT_VERSION)); // the fleet's operator sees it
    await agent.host.stop(upgraded);
    await agent.start();
    await eventually("the former version enforces", enforcing(version));
  });
});

test("somebody reloads the rules that he had saved, ours among them", { skip }, async () => {
  await nobodyGetsIn(async () => {
    const reload = "iptables-save > $0 && iptables-restore < $0 && ip6tables-save > $0 && ip6tables-restore < $0";
    for (let times = 0; times < RESTARTS; times += 1) {
      await agent.host.run("sh", ["-ec", reload, join(fleet.dir, "saved-rules")]);
    }
  });
});

test("were the set flushed for a moment, this test would see it", { skip }, async () => {
  const before = receiver.count(ATTACKER);
  await eventually("a packet gets in", async () => {
    await agent.host.run("ipset", ["flush", "fleetban-fleet-v4"]); // again where it was repaired between two packets
    await arrives(receiver, WITNESS);
    return receiver.count(ATTACKER) > before;
  });
  await eventually("it is dropped again", () => isDropped(receiver, ATTACKER, WITNESS));
});

async function nobodyGetsIn(act: () => Promise<void>): Promise<void> {
  const before = receiver.count(ATTACKER);
  const witness = receiver.watch(WITNESS);
  await act();
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
  assert.ok(witness.arrived() > 0);
  assert.equal(receiver.count(ATTACKER), before);
}
