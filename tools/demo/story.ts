/** The demo's four acts. Each shows what was measured, and throws where it is not what has to be. */
import { tryPassword } from "../../test/support/fleet/attacker.ts";
import { eventually } from "../../test/support/fleet/eventually.ts";
import type { Host } from "../../test/support/fleet/host.ts";
import { arrives } from "../../test/support/fleet/packets.ts";
import type { FleetServer } from "../../test/support/fleet/server.ts";
import { banMoment, lastPacketMoment, nextPacketMoment } from "./moments.ts";
import type { Screen } from "./screen.ts";
import { ATTACKER, STRANGER, type Stage } from "./stage.ts";

const ACT_MS = 150_000; // a machine that is busy with other things takes its time
const PASSWORDS_MAX = 20; // fail2ban bans after three

export async function tellStory(stage: Stage, screen: Screen): Promise<void> {
  await attack(stage, screen);
  screen.gap();
  const abuseipdb = await feed(stage, screen);
  screen.gap();
  await pardon(stage, screen, abuseipdb);
}

async function attack({ servers, attacker }: Stage, screen: Screen): Promise<void> {
  const [one, ...others] = servers;
  for (const { receiver } of servers) await arrives(receiver, ATTACKER);
  screen.at("attacker", `${ATTACKER} tries passwords on server one; all three servers receive its packets`);
  const banned = new AbortController();
  void tryPasswords(attacker, one, banned.signal); // the last attempt hangs in the firewall; nobody waits for it
  const bannedAtMs = await banMoment(one.fail2ban, ATTACKER, ACT_MS);
  banned.abort();
  const moments = await Promise.all(servers.map((server) => lastPacketMoment(server, ATTACKER, ACT_MS)));
  screen.at("server one", `fail2ban bans it: three wrong passwords for sshd`, bannedAtMs);
  screen.after(bannedAtMs, moments[0] ?? 0, "server one", "its last packet came in; the kernel drops it since");
  for (const [index, server] of others.entries()) {
    screen.after(
      bannedAtMs,
      moments[index + 1] ?? 0,
      `server ${server.host.name}`,
      "its last packet came in, though it never tried a password here",
    );
  }
}

async function tryPasswords(attacker: Host, { address }: FleetServer, banned: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < PASSWORDS_MAX && !banned.aborted; attempt += 1) await tryPassword(attacker, address);
}

async function feed(stage: Stage, screen: Screen): Promise<{ regenerate(): Promise<void> }> {
  const { coordinator, servers } = stage;
  for (const { receiver } of servers) await arrives(receiver, STRANGER);
  screen.at("stranger", `${STRANGER}, in AbuseIPDB's list and never seen here: its packets arrive everywhere`);
  const abuseipdb = await stage.openAbuseIpdb();
  const askedAtMs = Date.now();
  screen.at("operator", "$ fleetban feeds fetch abuseipdb", askedAtMs);
  await coordinator.cli(["feeds", "fetch", "abuseipdb"]);
  const listed = await listingsOf(stage, "feeds");
  for (const server of servers) {
    const atMs = await lastPacketMoment(server, STRANGER, ACT_MS);
    const inKernel = await eventually(
      `server ${server.host.name} holds the whole list`,
      () => wholeList(server, listed),
      ACT_MS,
    );
    const what = `its last packet came in; the kernel holds ${inKernel.toLocaleString("en")} of the list's ${listed.toLocaleString("en")}`;
    screen.after(askedAtMs, atMs, `server ${server.host.name}`, what);
  }
  return abuseipdb;
}

async function listingsOf({ coordinator }: Stage, name: string): Promise<number> {
  const { lists } = await coordinator.cli<{ lists: { name: string; listings: number }[] }>(["status"]);
  return lists.find((list) => list.name === name)?.listings ?? 0;
}

async function wholeList({ kernelSet }: FleetServer, listed: number): Promise<number | undefined> {
  const [v4, v6] = [await kernelSet("fleetban-feeds-v4"), await kernelSet("fleetban-feeds-v6")];
  return listed > 0 && v4.size + v6.size === listed ? listed : undefined;
}

async function pardon(stage: Stage, screen: Screen, abuseipdb: { regenerate(): Promise<void> }): Promise<void> {
  const { coordinator, servers } = stage;
  const [one] = servers;
  const pardonedAtMs = Date.now();
  screen.at("operator", `$ fleetban unban ${ATTACKER} --reason "our own scanner"`, pardonedAtMs);
  const again = servers.map((server) => nextPacketMoment(server, ATTACKER, ACT_MS));
  const [moments] = await Promise.all([
    Promise.all(again),
    coordinator.cli(["unban", ATTACKER, "--reason", "our own scanner"]),
  ]);
  for (const [index, { host }] of servers.entries()) {
    screen.after(pardonedAtMs, moments[index] ?? 0, `server ${host.name}`, "its packets arrive again");
  }
  const isLifted = async () => !(await one.fail2ban.banned()).includes(ATTACKER);
  await eventually("fail2ban on server one has lifted its ban", isLifted, ACT_MS);
  screen.at("server one", "fail2ban has lifted its own ban, too");

  await one.fail2ban.stop();
  await one.fail2ban.start();
  await abuseipdb.regenerate();
  await coordinator.cli(["feeds", "fetch", "abuseipdb"]);
  for (const { receiver } of servers) await arrives(receiver, ATTACKER, 100);
  screen.at("everywhere", "fail2ban restarted, AbuseIPDB fetched again with it on the list: its packets still arrive");
}
