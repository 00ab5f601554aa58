/** What it is all for: real password attempts on one server, and real packets that another does not let in any more. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createAdminCalls } from "../support/fleet/admin.ts";
import { tryPassword } from "../support/fleet/attacker.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { packetMoment } from "../support/fleet/packet-moment.ts";
import {
  arrives,
  droppedPackets,
  isDropped,
  type Receiver,
  startReceiver,
  startSender,
} from "../support/fleet/packets.ts";
import type { FleetServer } from "../support/fleet/server.ts";

const skip = needs("fail2ban-server", "sshd", "sshpass");
const BOOT = join(import.meta.dirname, "../../deploy/boot/fleetban-boot.sh");
const OFFICE = { coordinator: "10.99.0.1", server: "10.99.0.2" } as const;

let fleet: Fleet;
let [one, two, three]: FleetServer[] = [];
let attacker: Host;
/** When the link of server three was down. */
let cutAt = 0;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  const { network, coordinator } = fleet;
  // The third is enrolled and not started. Its agent will reach the coordinator by a line of its own.
  const byLine = { coordinators: [`${OFFICE.coordinator}:7741`] };
  [one, two, three] = await Promise.all([
    fleet.server(1),
    fleet.server(2),
    fleet.server(3, { isIdle: true, agentConfig: byLine }),
  ]);
  await network.line([
    { host: coordinator.host, address: `${OFFICE.coordinator}/30` },
    { host: three!.host, address: `${OFFICE.server}/30` },
  ]);
  attacker = await network.host("attacker", [ATTACKER]);
  const witness = await network.host("witness", [WITNESS]);
  for (const host of [attacker, witness]) startSender(host, [1, 2, 3].map(serverAddress), 10);
  await arrives(three!.receiver, ATTACKER);
  await network.cut(three!.host);
  cutAt = packetMoment();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("an attacker banned on one server is dropped by another that it never attacked", { skip }, async () => {
  await arrives(two!.receiver, ATTACKER);
  await eventually(
    "fail2ban on server one bans the attacker",
    async () => {
      await tryPassword(attacker, one!.address);
      return (await one!.fail2ban.banned()).includes(ATTACKER);
    },
    180_000,
  );
  for (const server of [one!, two!]) {
    await eventually(`server ${server.host.name} drops it`, () => isDropped(server.receiver, ATTACKER, WITNESS));
    await arrives(server.receiver, WITNESS);
  }
  assert.deepEqual([...(await two!.kernelSet("fleetban-fleet-v4"))], [ATTACKER]);
  const { state, sightingsTotal, agents } = await createAdminCalls(fleet.coordinator).explain(ATTACKER);
  assert.deepEqual({ state, sightingsTotal, agents }, { state: "listed", sightingsTotal: 1, agents: 1 });
});

test("a server whose link comes up when its agent is ready is protected from its first packet", { skip }, async () => {
  await three!.agent.start();
  await fleet.network.heal(three!.host);
  await knocksInVain(three!.host, three!.receiver, cutAt);
});

test("at its second start the boot load alone protects it from the first packet", { skip }, async () => {
  const { network } = fleet;
  const boot = join(three!.agent.dataDir, "boot");
  await eventually("the attacker is in the boot files", async () => {
    const texts = await Promise.all(
      ["base", "recent"].map((name) => readFile(join(boot, name), "utf8").catch(() => "")),
    );
    return texts.some((text) => text.includes(` ${ATTACKER} `));
  });
  await three!.agent.kill9();
  await network.remove(three!.host);
  const restarted = await network.host("restarted", [serverAddress(3)], { linkUp: false });
  const receiver = await startReceiver(restarted);
  const said = await restarted.run("sh", [BOOT, boot]);
  await network.heal(restarted);
  await knocksInVain(restarted, receiver, 0);
  assert.match(said, /loaded \d+ sets and [1-9]\d* entries/);
});

/** The attacker's packets come to the host's door, and not one sent since then in; the witness's do come in. */
async function knocksInVain(host: Host, receiver: Receiver, since: number): Promise<void> {
  await arrives(receiver, WITNESS, 100);
  await eventually("the attacker's packets are dropped at the door", async () => (await droppedPackets(host)) >= 50);
  assert.equal(receiver.countSentAfter(ATTACKER, since), 0);
}
