/** A program dies by SIGKILL at each step of a sighting's way; every sighting counts once all the same. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { handOver } from "../support/fleet/hand-over.ts";
import { countSightings } from "../support/fleet/ledger-sql.ts";
import { AGENT_POINTS, COORDINATOR_POINTS } from "../support/fleet/mortal/point.ts";
import { startMortalAgent, startMortalCoordinator } from "../support/fleet/mortal.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs();
const BANS = 5;
const SETTLES_MS = 120_000;

let fleet: Fleet;
let admin: Admin;
let agent: FleetAgent;
let handoff: string;
const everything: string[] = [];
let rounds = 0;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  handoff = join(fleet.dir, "one", "handoff");
  agent = await fleet.agent(1, { config: { "fail2ban.handoff": handoff } });
});

after(async () => await fleet?.[Symbol.asyncDispose]());

for (const point of AGENT_POINTS) {
  test(`the agent dies: ${point}`, { skip }, async () => {
    const mortal = startMortalAgent(agent, point);
    const told = await tell();
    await mortal.died();
    await agent.start();
    await countsOnce(told);
    await agent.stop();
  });
}

for (const point of COORDINATOR_POINTS) {
  test(`the coordinator dies: ${point}`, { skip }, async () => {
    await agent.stop(); // one that has just started dials again soon, when its coordinator is lost
    await fleet.coordinator.stop();
    const mortal = startMortalCoordinator(fleet.coordinator, point);
    agent.launch();
    const told = await tell();
    await mortal.died();
    await fleet.coordinator.start();
    await countsOnce(told);
  });
}

test("after all these deaths exactly what was told is counted and listed, everywhere", { skip }, async () => {
  const once = new Map(everything.map((address) => [address, 1]));
  assert.deepEqual(await countSightings(fleet.coordinator), once);
  const listed = await admin.listings("fleet");
  assert.deepEqual(listed.map(({ prefix }) => prefix).sort(), [...everything].sort());
  assert.equal((await agent.status()).spool.lost, 0);
  await untilAllAgree(fleet.coordinator, [agent]);
});

/** Bans of addresses that no other round has. */
async function tell(): Promise<readonly string[]> {
  rounds += 1;
  const addresses = Array.from({ length: BANS }, (_, at) => `45.83.${rounds}.${at + 1}`);
  everything.push(...addresses);
  await handOver(handoff, ...addresses.map((address) => ({ address })));
  return addresses;
}

async function countsOnce(addresses: readonly string[]): Promise<void> {
  const isThrough = async () => {
    const explained = await Promise.all(addresses.map((address) => admin.explain(address)));
    const areListed = explained.every(({ sightingsTotal, state }) => sightingsTotal > 0 && state === "listed");
    return areListed && (await agent.status()).spool.sightings === 0;
  };
  await eventually("the sightings are acknowledged", isThrough, SETTLES_MS);
  for (const address of addresses) {
    const { sightingsTotal, state } = await admin.explain(address);
    assert.deepEqual({ address, sightingsTotal, state }, { address, sightingsTotal: 1, state: "listed" });
  }
}
