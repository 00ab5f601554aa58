/** What a server's kernel drops is known to the coordinator, packet by packet. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { droppedPackets, sendBurst } from "../support/fleet/packets.ts";

const skip = needs();
/** A look each 10 s, a report after it, a batch written each 10 s. */
const TOLD_MS = 180_000;
const DATAGRAM_BYTES = 20 + 8; // without what it says
/** Sent before a restart, and after it. */
const [FIRST, SECOND, THIRD] = [57, 13, 5] as const;

interface ShownHits {
  readonly prefixes: readonly { list: string; prefix: string; packets: number; bytes: number; agents: number }[];
  readonly lists: readonly { list: string; packets: number }[];
}

let fleet: Fleet;
let agent: FleetAgent;
let attacker: Host;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  agent = await fleet.agent(1, { config: { "hits.every": "10s" } });
  await agent.start();
  attacker = await fleet.network.host("attacker", [ATTACKER, WITNESS]);
  await fleet.coordinator.cli(["ban", ATTACKER, "--wait"]);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a listed source sends packets, and the coordinator knows of exactly as many", { skip }, async () => {
  await sendAndBeTold(FIRST, FIRST);
  const { prefixes } = await hits();
  const [hit] = prefixes;
  assert.deepEqual([prefixes.length, hit?.list, hit?.prefix, hit?.agents], [1, "fleet", ATTACKER, 1]);
  assert.ok(hit !== undefined && hit.bytes > FIRST * DATAGRAM_BYTES, `${hit?.bytes} bytes`);
});

test("further ones are added, none is told twice", { skip }, async () => {
  await sendAndBeTold(SECOND, FIRST + SECOND);
  const { hits: own } = await agent.status();
  assert.equal(own.byList.fleet?.packets, FIRST + SECOND);
});

test("nor does a restart of the agent tell again what the kernel had counted before", { skip }, async () => {
  await agent.stop();
  await agent.start();
  await sendAndBeTold(THIRD, FIRST + SECOND + THIRD);
});

async function sendAndBeTold(packets: number, inAll: number): Promise<void> {
  const before = await droppedPackets(agent.host);
  await sendBurst(attacker, serverAddress(1), packets);
  // A rule's own counter begins anew with the rule.
  await eventually("all are there", async () => (await droppedPackets(agent.host)) - before >= packets);
  assert.equal((await droppedPackets(agent.host)) - before, packets);
  await eventually(
    `the coordinator knows of ${inAll} packets`,
    async () => ((await hits()).prefixes[0]?.packets ?? 0) >= inAll,
    TOLD_MS,
  );
  const { prefixes, lists } = await hits();
  assert.deepEqual(
    [prefixes[0]?.packets, lists],
    [inAll, [{ list: "fleet", packets: inAll, bytes: prefixes[0]?.bytes }]],
  );
}

function hits(): Promise<ShownHits> {
  return fleet.coordinator.cli<ShownHits>(["hits"]);
}
