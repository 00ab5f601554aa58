/** After `unban` nothing brings the address back: from there on not one of its packets is lost, at any server. */
import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { madeUpEntries } from "../support/fake-abuseipdb/entries.ts";
import { type FleetAbuseIpdb, startAbuseIpdb } from "../support/fleet/abuseipdb.ts";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { FleetFail2ban } from "../support/fleet/fail2ban.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet, ATTACKER as PARDONED, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, startSender, type Watch } from "../support/fleet/packets.ts";
import type { FleetServer } from "../support/fleet/server.ts";

const skip = needs("fail2ban-server", "sshd");
const SERVERS = [1, 2, 3] as const;
/** Named by the feed as the pardoned is, and not pardoned. */
const STRANGER = "185.220.101.34";
const LATE = "45.83.70.1";

let fleet: Fleet;
let admin: Admin;
let abuseipdb: FleetAbuseIpdb;
let servers: readonly FleetServer[];
let watches: readonly Watch[] = [];

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet({
    async coordinator(network, dir) {
      const listed = madeUpEntries(200).map(({ ipAddress }) => ipAddress);
      abuseipdb = await startAbuseIpdb(network, dir, [...listed, PARDONED, STRANGER]);
      await abuseipdb.inject({ kind: "status", status: 503 }, 1); // the fetch at the start: it is to come after the pardon
      return abuseipdb.options;
    },
  });
  admin = createAdminCalls(fleet.coordinator);
  // The third's agent knows its fail2ban by the log alone.
  servers = await Promise.all([fleet.server(1), fleet.server(2), fleet.server(3, { isLogOnly: true })]);
  const targets = SERVERS.map(serverAddress);
  startSender(await fleet.network.host("pardoned", [PARDONED]), targets, 20);
  startSender(await fleet.network.host("witness", [WITNESS]), targets, 50);
  startSender(await fleet.network.host("stranger", [STRANGER]), targets, 50);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("an address that three fail2bans ban is pardoned: its packets arrive at every server", { skip }, async () => {
  for (const { fail2ban } of servers) await fail2ban.client("set", "sshd", "banip", PARDONED);
  await eventually("every fail2ban's ban has arrived", async () => (await admin.explain(PARDONED)).agents === 3);
  for (const { receiver } of servers) await eventually("it is dropped", () => isDropped(receiver, PARDONED, WITNESS));
  await servers[1]!.fail2ban.stop(); // its ban is in its database, and will be restored
  await fleet.coordinator.cli(["unban", PARDONED, "--reason", "our own scanner", "--wait"]);
  for (const { receiver } of servers) await arrives(receiver, PARDONED);
  watches = servers.map(({ receiver }) => receiver.watch(PARDONED));
  for (const { fail2ban } of [servers[0]!, servers[2]!]) await isLifted(fail2ban);
  await nothingIsLost();
});

test("the feed refreshes with the address in it", { skip }, async () => {
  for (const { receiver } of servers) await arrives(receiver, STRANGER);
  await fleet.coordinator.cli(["feeds", "fetch", "abuseipdb"]);
  for (const { receiver } of servers)
    await eventually("the feed is enforced", () => isDropped(receiver, STRANGER, WITNESS));
  assert.equal((await admin.explain(PARDONED)).feeds.length, 1);
  await nothingIsLost();
});

test("two agents sight it through the socket", { skip }, async () => {
  const { sightingsTotal } = await admin.explain(PARDONED);
  for (const { agent } of servers.slice(0, 2))
    await agent.sendSocket({ ip: PARDONED, jail: "tool", ban_seconds: 3600 });
  const isCounted = async () => (await admin.explain(PARDONED)).sightingsTotal === sightingsTotal + 2;
  await eventually("both sightings are counted", isCounted);
  await nothingIsLost();
});

test("fail2ban starts again and restores it", { skip }, async () => {
  const { fail2ban } = servers[1]!;
  await fail2ban.start();
  const isRestored = async () => (await readFile(fail2ban.banLog, "utf8")).includes(`[sshd] Restore Ban ${PARDONED}`);
  await eventually("it is restored", isRestored);
  await isLifted(fail2ban);
  await nothingIsLost();
});

test("the log with its ban is read once more", { skip }, async () => {
  const { fail2ban } = servers[2]!;
  const { sightingsTotal } = await admin.explain(PARDONED);
  await fail2ban.stop();
  const log = await readFile(fail2ban.banLog, "utf8");
  await writeFile(`${fail2ban.banLog}.copy`, `${log}${banLine(log)}`);
  await rename(`${fail2ban.banLog}.copy`, fail2ban.banLog); // another file: it is read from its beginning
  const isRead = async () => (await admin.explain(LATE)).sightingsTotal === 1;
  await eventually("a ban at the log's new end has arrived", isRead);
  assert.equal((await admin.explain(PARDONED)).sightingsTotal, sightingsTotal);
  await fail2ban.start();
  await nothingIsLost();
});

test("coordinator, agents and fail2ban all start again", { skip }, async () => {
  await fleet.coordinator.kill9();
  for (const { agent, fail2ban } of servers) {
    await agent.kill9();
    await fail2ban.stop();
  }
  await Promise.all(servers.map(({ fail2ban }) => fail2ban.start()));
  await fleet.coordinator.start();
  await Promise.all(servers.map(({ agent }) => agent.start()));
  await untilAllAgree(
    fleet.coordinator,
    servers.map(({ agent }) => agent),
  );
  for (const { fail2ban } of servers) await isLifted(fail2ban);
  await nothingIsLost();
  assert.equal((await admin.explain(PARDONED)).state, "pardoned");
});

/** Since the pardon. */
async function nothingIsLost(): Promise<void> {
  for (const [at, { receiver }] of servers.entries()) {
    await arrives(receiver, PARDONED, 50);
    assert.equal(watches[at]!.lost(), 0, `lost at server ${at + 1}, of ${watches[at]!.arrived()}`);
  }
}

async function isLifted(fail2ban: FleetFail2ban): Promise<void> {
  const lifted = async () => !(await fail2ban.banned()).includes(PARDONED);
  await eventually("fail2ban has lifted its ban", lifted);
}

/** As fail2ban would write it of another address, at this log's end. */
function banLine(log: string): string {
  const [time] = log.trimEnd().split("\n").at(-1)!.split(" fail2ban.");
  return `${time} fail2ban.actions        [1]: NOTICE  [sshd] Ban ${LATE}\n`;
}
