/** Who is let in is let in by every kernel when `--wait` returns, inside wider bans too; and the neighbors are not. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/fleet/eventually.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, startSender } from "../support/fleet/packets.ts";
import type { FleetServer } from "../support/fleet/server.ts";

const skip = needs("fail2ban-server", "sshd");
const NETWORK = "45.83.64.0/24";
const PARDONED = "45.83.64.9";
const ALLOWED = "45.83.64.10";
const PARTNER = "45.83.64.11";
const NEIGHBOR = "45.83.64.12";
const EXEMPT = "fleetban-exempt-v4";
const WAIT_SECONDS = 10; // the other one's agent needs a part of it; the machine may be busy

let fleet: Fleet;
let packs: string;
let servers: readonly FleetServer[];

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet({
    async coordinator(_, dir) {
      packs = join(dir, "packs");
      await mkdir(packs);
      await writeFile(join(packs, "partners.txt"), packText("2026-11-01", PARTNER));
      return { config: { packs_dir: packs } };
    },
  });
  servers = await Promise.all([fleet.server(1), fleet.server(2)]);
  const targets = [1, 2].map(serverAddress);
  const sources = { pardoned: PARDONED, allowed: ALLOWED, partner: PARTNER, neighbor: NEIGHBOR, witness: WITNESS };
  for (const [name, address] of Object.entries(sources)) {
    startSender(await fleet.network.host(name, [address]), targets, 20);
  }
  for (const { receiver } of servers) for (const address of Object.values(sources)) await arrives(receiver, address);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a banned network is dropped whole", { skip }, async () => {
  await fleet.coordinator.cli(["ban", NETWORK, "--reason", "a bad neighborhood", "--wait"]);
  for (const { receiver } of servers) {
    for (const address of [PARDONED, ALLOWED, PARTNER, NEIGHBOR]) {
      assert.equal(await isDropped(receiver, address, WITNESS), true, address);
    }
  }
});

test("when unban --wait and allow --wait return, every kernel has it, and the neighbors stay out", {
  skip,
}, async () => {
  const before = servers.map(({ receiver }) => receiver.count(NEIGHBOR));
  const pardon = await fleet.coordinator.cliText(["unban", PARDONED, "--for", "1h", "--wait"]);
  assert.match(pardon, /\n45\.83\.64\.0\/24 stays listed, with a hole for 45\.83\.64\.9\n/);
  assert.match(pardon, /\nin the kernels of 2 agents after \d+ ms/);
  for (const server of servers) assert.ok((await server.kernelSet(EXEMPT)).has(PARDONED)); // now, not some time later
  const year = new Date().getUTCFullYear() + 1;
  await fleet.coordinator.cli(["allow", ALLOWED, "--until", `${year}-06-30`, "--reason", "a partner", "--wait"]);
  for (const server of servers) assert.ok((await server.kernelSet(EXEMPT)).has(ALLOWED));
  for (const { receiver } of servers) {
    for (const address of [PARDONED, ALLOWED]) await arrives(receiver, address);
    assert.equal(await isDropped(receiver, NEIGHBOR, WITNESS), true);
  }
  assert.deepEqual(
    servers.map(({ receiver }) => receiver.count(NEIGHBOR)),
    before,
  );
});

test("a pack that the policy chooses is let in by the kernels, and shut out when it is not chosen any more", {
  skip,
}, async () => {
  await applyPolicy("packs: [partners]\n");
  for (const { receiver } of servers) await arrives(receiver, PARTNER);
  assert.match(await fleet.coordinator.cliText(["packs"]), /partners +Partners +1 +2026-11-01 +in force since/);
  assert.match(
    await fleet.coordinator.cliText(["explain", PARTNER]),
    /is in never-ban pack partners \(Partners, 2026-11-01\)[\s\S]*take partners out of `packs` in the policy/,
  );
  await applyPolicy("packs: []\n");
  for (const { receiver } of servers) {
    await eventually("the partner is dropped", () => isDropped(receiver, PARTNER, WITNESS));
    await arrives(receiver, ALLOWED);
  }
});

test("--wait names the server that has not said in time that it has it, and all others have it", { skip }, async () => {
  await fleet.network.cut(servers[1]!.host);
  const failed = await fleet.coordinator
    .cliText(["unban", NEIGHBOR, "--wait", `${WAIT_SECONDS}s`])
    .catch((error: unknown) => error);
  assert.match(String(failed), /1 of 2 agents have not reported it in time: two/);
  assert.ok((await servers[0]!.kernelSet(EXEMPT)).has(NEIGHBOR));
  await arrives(servers[0]!.receiver, NEIGHBOR);
});

async function applyPolicy(text: string): Promise<void> {
  const file = join(fleet.dir, "policy.yaml");
  await writeFile(file, text);
  await fleet.coordinator.cli(["policy", "apply", file, "--reason", "test", "--yes"]);
}

function packText(date: string, ...prefixes: string[]): string {
  return `# title: Partners\n# source: https://partners.test\n# date: ${date}\n${prefixes.join("\n")}\n`;
}
