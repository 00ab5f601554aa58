/** A server with neither ipset nor nftables: a whole agent over blackhole routes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, type Receiver, startReceiver, startSender } from "../support/fleet/packets.ts";

const skip = needs();
const WIDE = "45.83.64.0/24";
const REPAIRED_MS = 60_000; // a few seconds on a machine that does nothing else

let fleet: Fleet;
let agent: FleetAgent;
let host: Host;
let receiver: Receiver;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  agent = await fleet.agent(1, { config: { backend: "blackhole" } });
  host = agent.host;
  // As systemd sets it: then what comes in is dropped, too, and can be counted.
  await host.run("sysctl", ["-qw", "net.ipv4.conf.all.rp_filter=2"]);
  receiver = await startReceiver(host);
  for (const [name, address] of [
    ["attacker", ATTACKER],
    ["witness", WITNESS],
  ] as const) {
    startSender(await fleet.network.host(name, [address]), [serverAddress(1)], 5);
  }
  await agent.start();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a ban of a network stops the attacker", { skip }, async () => {
  await arrives(receiver, ATTACKER);
  await fleet.coordinator.cli(["ban", WIDE, "--reason", "test", "--yes", "--wait"]);
  await dropped();
  assert.equal((await agent.status()).firewall.backend, "blackhole");
});

test("a killed agent leaves its routes in force, and the next one takes them over", { skip }, async () => {
  const mine = "45.99.1.1";
  await agent.sendSocket({ ip: mine, jail: "test", ban_seconds: 900 });
  await eventually("the route is there", async () => (await routes()).includes(`blackhole ${mine} `));
  await agent.kill9();
  assert.match(await routes(), new RegExp(`blackhole ${WIDE} `)); // a kill lets nobody in
  const watch = receiver.watch(ATTACKER);
  await dropped();
  await agent.start();
  await dropped();
  assert.equal(watch.arrived(), 0, "let in meanwhile");
  for (const prefix of [WIDE, mine]) assert.match(await routes(), new RegExp(`blackhole ${prefix} `));
});

test("routes and rules that somebody takes away are put back within seconds", { skip }, async () => {
  await host.run("ip", ["route", "flush", "table", "7741"]);
  await eventually("the routes are back", async () => (await routes()).includes(`blackhole ${WIDE} `), REPAIRED_MS);
  await host.run("ip", ["rule", "del", "pref", "743"]);
  await eventually("the rule is back", async () => (await host.run("ip", ["rule"])).includes("743:"), REPAIRED_MS);
  await eventually("it is counted", async () => (await agent.status()).firewall.driftEntries > 0);
});

test("a pardon inside a listed network lets in one address", { skip }, async () => {
  await fleet.coordinator.cli(["unban", ATTACKER, "--wait"]);
  await arrives(receiver, ATTACKER);
  assert.match(
    await routes(),
    new RegExp(`throw ${ATTACKER} [\\s\\S]*blackhole ${WIDE} |blackhole ${WIDE} [\\s\\S]*throw ${ATTACKER} `),
  );
});

async function dropped(): Promise<void> {
  await eventually("packets are dropped", () => isDropped(receiver, ATTACKER, WITNESS, 5));
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
}

async function routes(): Promise<string> {
  return await host.run("ip", ["route", "show", "table", "7741"]);
}
