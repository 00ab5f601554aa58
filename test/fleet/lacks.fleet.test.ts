/** An agent on a machine that lacks something: it does what can be done, and says what is missing and what to do. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chown, mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { askSocket } from "../support/fleet/burst.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { handOver } from "../support/fleet/hand-over.ts";
import { readKernelSet } from "../support/fleet/kernel-set.ts";
import { countSightings } from "../support/fleet/ledger-sql.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, startReceiver, startSender } from "../support/fleet/packets.ts";
import { programPath } from "../support/fleet/programs.ts";
import { tryProgram } from "../support/fleet/try-program.ts";
import { withoutPrograms } from "../support/fleet/without-programs.ts";

const skip = needs("unshare", "setpriv");
const exec = promisify(execFile);
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const LOCAL = "fleetban-local-v4";

let fleet: Fleet;
/** Has been in the fleet before. */
let known: FleetAgent;
/** Is enrolled, and has never been started. */
let fresh: FleetAgent;
let socket: string;
let handoff: string;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  socket = join(fleet.dir, "known.sock");
  handoff = join(fleet.dir, "handoff");
  known = await fleet.agent(1, { config: { socket, "fail2ban.handoff": handoff } });
  fresh = await fleet.agent(2, { config: { backend: "ipset" } });
  await known.start();
  await known.stop();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("no coordinator at the start: an agent that has a mirror drops what it sights, and tells later", {
  skip,
}, async () => {
  const receiver = await startReceiver(known.host);
  const attacker = startSender(await fleet.network.host("attacker", [ATTACKER]), [serverAddress(1)], 20);
  const witness = startSender(await fleet.network.host("witness", [WITNESS]), [serverAddress(1)], 20);
  await fleet.coordinator.kill9();
  known.launch();
  fresh.launch();
  await arrives(receiver, ATTACKER);
  const answer = await eventually("its socket answers", () =>
    askSocket(socket, `{"ip":"${ATTACKER}","ban_seconds":600}\n`),
  );
  assert.deepEqual(answer, ['{"ok":true}']);
  await eventually("it is dropped", () => isDropped(receiver, ATTACKER, WITNESS));
  const { link, spool } = await known.status();
  assert.notEqual(link.kind, "online");
  assert.equal(spool.sightings, 1);
  await Promise.all([attacker.stop(), witness.stop()]);
});

test("an agent without a mirror runs, says that it is not ready, and keeps what it is told", { skip }, async () => {
  await eventually("it answers", () => fresh.status());
  await fresh.sendSocket({ ip: "45.83.1.1", ban_seconds: 600 });
  const { warnables, spool } = await fresh.status();
  assert.ok(warnables.some(({ code }) => code === "not-mirrored")); // after a minute it misses its coordinator, too
  assert.equal(spool.sightings, 1);
});

test("when the coordinator comes both connect, and what waited is counted", { skip }, async () => {
  await fleet.coordinator.start();
  await untilAllAgree(fleet.coordinator, [known, fresh]);
  await eventually("both are counted", async () => (await countSightings(fleet.coordinator)).size >= 2);
  assert.deepEqual(
    await countSightings(fleet.coordinator),
    new Map([
      [ATTACKER, 1],
      ["45.83.1.1", 1],
    ]),
  );
});

test("the disk under the spool is full: bans are enforced, refused where they can be told again, and none is lost", {
  skip,
}, async () => {
  await known.stop();
  const spool = join(known.dataDir, "spool");
  await exec("mount", ["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", spool]);
  try {
    await known.start();
    await fillUp(join(spool, "filler"));
    await handOver(handoff, { address: "45.83.2.1" }, { address: "45.83.2.2" });
    const [answer = "{}"] = await askSocket(socket, '{"ip":"45.83.2.3","ban_seconds":600}\n');
    assert.match(answer, /"ok":false.*can't be written.*try again/);
    const isEnforced = async () =>
      new Set(["45.83.2.1", "45.83.2.2"]).isSubsetOf(await readKernelSet(known.host, LOCAL));
    await eventually("they are enforced here", isEnforced);
    const isTold = async () => (await known.status()).warnables.some(({ code }) => code === "spool-unwritable");
    await eventually("the agent says so", isTold);
    await rm(join(spool, "filler"));
    const isCounted = async () => {
      const counted = await countSightings(fleet.coordinator);
      return counted.get("45.83.2.1") === 1 && counted.get("45.83.2.2") === 1 && !counted.has("45.83.2.3");
    };
    await eventually("both are counted once there is room", isCounted);
    await eventually("nothing is complained of", async () => (await known.status()).warnables.length === 0);
  } finally {
    await known.stop();
    await exec("umount", [spool]);
  }
});

test("without the ipset program everything works, over netlink", { skip }, async () => {
  const stop = await startWithout(known, "ipset*");
  await eventually("it is online", async () => (await known.status()).link.kind === "online");
  await fleet.coordinator.cli(["ban", "45.83.3.1", "--reason", "test", "--wait"]);
  assert.ok((await readKernelSet(known.host, "fleetban-fleet-v4")).has("45.83.3.1"));
  assert.equal((await known.status()).firewall.via, "netlink");
  await stop();
});

test("without iptables it enforces by nftables and says why; with it ipset takes over again, and no table is left", {
  skip,
}, async () => {
  const stop = await startWithout(known, "*tables*");
  await eventually("it is online", async () => (await known.status()).link.kind === "online");
  assert.equal((await known.status()).firewall.backend, "nftables");
  assert.match(await known.log(), /"backend":"nftables".*"passedOver":\{"ipset":"program iptables: not found"\}/);
  await fleet.coordinator.cli(["ban", "45.83.4.1", "--reason", "test", "--wait"]);
  await fleet.coordinator.cli(["ban", "45.84.0.0/20", "--reason", "test", "--wait"]);
  assert.match(await known.host.run("nft", ["list", "set", "ip", "fleetban", "fleetban-fleet-v4"]), /45\.83\.4\.1 /);
  assert.match(await known.host.run("nft", ["list", "set", "ip", "fleetban", "fleetban-fleet-v4/20"]), /45\.84\.0\.0 /);
  // Its rules can't be removed without iptables: they stay in force beside the new ones, and that is said.
  await eventually("it says what it can't remove", async () =>
    /"event":"firewall.former_backend_stays","backend":"ipset".*set-in-use/.test(await known.log()),
  );
  await stop();
  await known.start();
  assert.equal((await known.status()).firewall.backend, "ipset");
  assert.ok((await readKernelSet(known.host, "fleetban-fleet-v4")).has("45.83.4.1"));
  await eventually(
    "no table is left",
    async () => !(await known.host.run("nft", ["list", "tables"])).includes("fleetban"),
  );
  await known.stop();
});

test("without iptables ipset runs, and says that nothing is enforced and what to install", { skip }, async () => {
  const stop = await startWithout(fresh, "*tables*");
  const isTold = async () => (await fresh.status()).warnables.find(({ code }) => code === "rules-missing");
  const { detail } = await eventually("it says so", isTold, 20_000);
  assert.match(detail, /iptables: not found/);
  assert.match(await fresh.log(), /"code":"iptables-missing".*apt install iptables/);
  const check = await tryProgram(fresh.host, "fleetban-agent", ["check", "--config", fresh.configFile]);
  assert.equal(check.exitCode, 2);
  await stop();
});

test("without the kernel's ip_set it says so and what to load", { skip }, async () => {
  const config = await configOf("no-kernel.yaml", { backend: "ipset", ipset_via: "process" });
  const through = await withoutPrograms(
    fleet.dir,
    "ipset*",
    "#!/bin/sh\necho 'ipset v7.17: Cannot open session to kernel.' >&2\nexit 1\n",
  );
  const ending = await tryProgram(fresh.host, "fleetban-agent", ["run", "--config", config], { through });
  assert.equal(ending.exitCode, 1);
  assert.match(ending.stderr, /error: kernel sets: .*Cannot open session to kernel/);
  assert.match(ending.stderr, /hint: load the kernel's modules \(modprobe -a ip_set/);
});

test("without root it says so, wherever its folders are", { skip }, async () => {
  const notItsFolder = await tryProgram(fresh.host, "fleetban-agent", ["run", "--config", fresh.configFile], {
    through: NOBODY,
  });
  assert.equal(notItsFolder.exitCode, 1);
  assert.match(notItsFolder.stderr, /error: folder .*\n.*hint: run the agent as root/);
  const own = join(fleet.dir, "nobody");
  await mkdir(own);
  await chown(own, 65_534, 65_534);
  const config = await configOf("nobody.yaml", { data_dir: join(own, "data"), socket: join(own, "agent.sock") });
  const itsFolder = await tryProgram(fresh.host, "fleetban-agent", ["run", "--config", config], { through: NOBODY });
  assert.equal(itsFolder.exitCode, 1);
  assert.match(itsFolder.stderr, /operation not permitted.*\n.*hint: run the agent as root, or .*CAP_NET_ADMIN/);
});

test("a token is not used up where the identity can't be kept", { skip }, async () => {
  const token = await fleet.coordinator.enrollToken();
  const dir = join(fleet.dir, "closed", "data");
  await mkdir(join(fleet.dir, "closed"));
  const args = ["enroll", token, "--data-dir", dir, "--name", "late"];
  const refused = await tryProgram(fresh.host, "fleetban-agent", args, { through: NOBODY });
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /error: folder .*closed.*\n.*hint: run it as root/);
  assert.equal((await tryProgram(fresh.host, "fleetban-agent", args)).exitCode, 0);
});

/** In the place of the agent, which is stopped before. */
async function startWithout(agent: FleetAgent, missing: string): Promise<() => Promise<void>> {
  await agent.stop();
  const [command = "", ...words] = await withoutPrograms(fleet.dir, missing);
  const log = await open(agent.logFile, "a");
  const run = [...words, programPath("fleetban-agent"), "run", "--config", agent.configFile];
  const child = agent.host.spawn(command, run, { stdio: ["ignore", log.fd, log.fd] });
  await log.close();
  await eventually("it answers", () => agent.status());
  return () => agent.host.stop(child);
}

/** No sources, no ports: beside other agents on its host. */
async function configOf(name: string, keys: Readonly<Record<string, unknown>>): Promise<string> {
  const file = join(fleet.dir, name);
  const nothing = { "fail2ban.handoff": "", "fail2ban.socket": "", "health.port": 0, socket: "" };
  await writeFile(file, JSON.stringify({ data_dir: join(fleet.dir, `${name}-data`), ...nothing, ...keys }));
  return file;
}

async function fillUp(path: string): Promise<void> {
  await using file = await open(path, "w");
  const block = Buffer.alloc(4_096);
  const isFull = async () =>
    await file.write(block).then(
      () => false,
      () => true,
    );
  while (!(await isFull()));
}
