/** The agent dies by SIGKILL while it loads, swaps and saves: the kernel loses nothing, and all is one again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { handOver } from "../support/fleet/hand-over.ts";
import { readKernelSet } from "../support/fleet/kernel-set.ts";
import { KERNEL_POINTS } from "../support/fleet/mortal/point.ts";
import { startMortalAgent } from "../support/fleet/mortal.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs();
/** Together they outgrow the sets twice, and stay below what one agent may tell in a minute. */
const BANS = 700;
const SETTLES_MS = 120_000;

let fleet: Fleet;
let agent: FleetAgent;
let handoff: string;
let rounds = 0;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  handoff = join(fleet.dir, "one", "handoff");
  agent = await fleet.agent(1, { config: { "fail2ban.handoff": handoff } });
  await agent.start();
  await tell();
  await settled();
  await agent.stop();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

for (const point of KERNEL_POINTS) {
  test(`the agent dies: ${point}`, { skip }, async () => {
    const before = await readKernelSet(agent.host, "fleetban-fleet-v4");
    assert.equal(before.size, rounds * BANS);
    const mortal = startMortalAgent(agent, point);
    await tell();
    await mortal.died();
    const left = await readKernelSet(agent.host, "fleetban-fleet-v4");
    assert.deepEqual([...before.difference(left)], [], "what was in force is let in");
    assert.match(await rules(), /match-set fleetban-fleet-v4 src .*-j DROP/);
    await agent.start();
    await settled();
    const names = await agent.host.run("ipset", ["list", "-n"]);
    assert.doesNotMatch(names, /-n$/m, "a replacement is left behind");
    assert.equal((await agent.status()).spool.lost, 0);
    await agent.stop();
  });
}

async function tell(): Promise<void> {
  rounds += 1;
  const address = (at: number) => `45.8${rounds}.${at >> 8}.${at & 255}`;
  await handOver(handoff, ...Array.from({ length: BANS }, (_, at) => ({ address: address(at), banSeconds: 86_400 })));
}

async function settled(): Promise<void> {
  const isIn = async () => (await readKernelSet(agent.host, "fleetban-fleet-v4")).size === rounds * BANS;
  await eventually("all that was told is in the kernel", isIn, SETTLES_MS);
  await untilAllAgree(fleet.coordinator, [agent]);
}

async function rules(): Promise<string> {
  return await agent.host.run("iptables", ["-t", "mangle", "-S"]);
}
