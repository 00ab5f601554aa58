/** `fleetban-agent ban`, `unban` and `import`, as scripts on a server use them, with a real fail2ban beside. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet, serverAddress } from "../support/fleet/open-fleet.ts";
import { programPath } from "../support/fleet/programs.ts";
import type { FleetServer } from "../support/fleet/server.ts";

const skip = needs("ip", "ipset", "iptables", "fail2ban-server", "sshd", "ssh");

let fleet: Fleet;
let admin: Admin;
let server: FleetServer;
let other: FleetServer;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  [server, other] = await Promise.all([fleet.server(1), fleet.server(2)]);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a ban from a script is in this kernel at once and in the other's soon, with its reason", { skip }, async () => {
  const ip = "45.83.10.1";
  const [answer] = await agentJson("ban", ip, "--for", "30m", "--jail", "wp-login", "--reason", "37 posts\u001b[31m");
  assert.deepEqual(answer, { address: ip, jail: "wp-login", ban_seconds: 1_800, told: true, enforced: true });
  await eventually("the other drops it", async () => (await other.kernelSet("fleetban-fleet-v4")).has(ip));
  assert.ok((await server.kernelSet("fleetban-local-v4")).has(ip));
  const { sightings } = await admin.explain(ip);
  assert.deepEqual([sightings[0]?.jail, sightings[0]?.source], ["wp-login", "socket"]);
  assert.match(await fleet.coordinator.cliText(["explain", ip]), /evidence:\n {2}one: 37 posts/);
});

test("what is protected, own or exempt is refused with the reason, what is no address with the remedy", {
  skip,
}, async () => {
  await fleet.coordinator.cli(["allow", "45.83.11.0/24", "--reason", "our office"]);
  await eventually("it is exempt here", async () => {
    const { error } = await failed("ban", "45.83.11.7");
    return /it is exempt \(45\.83\.11\.0\/24\)/.test(error);
  });
  const cases: readonly [string, RegExp, number][] = [
    ["192.168.3.4", /192\.168\.3\.4 is not banned: it is in 192\.168\.0\.0\/16/, 1],
    ["::1", /it is in ::1/, 1],
    [serverAddress(1), /it is this machine's own/, 1],
    ["45.83.12.0/24", /is a network; a server bans single addresses/, 2],
    ["45.83.12", /is a short form/, 2],
  ];
  for (const [ip, why, exitCode] of cases) {
    const { error, code } = await failed("ban", ip);
    assert.match(error, why);
    assert.equal(code, exitCode, ip);
  }
});

test("a jail's ban is let go in the kernel and in fail2ban, as a person's act, and the fleet's listing is named", {
  skip,
}, async () => {
  const ip = "45.83.13.1";
  await server.fail2ban.client("set", "sshd", "banip", ip);
  await eventually("the jail's ports are told", async () =>
    (await admin.explain(ip)).sightings.some(({ protocol, ports }) => protocol === "tcp" && ports === "ssh"),
  );
  await eventually("it is listed", async () => (await other.kernelSet("fleetban-fleet-v4")).has(ip));
  await eventually("and here too", async () => (await server.kernelSet("fleetban-fleet-v4")).has(ip));
  const [answer, hint] = await agentJson("unban", ip);
  assert.deepEqual(answer, { address: ip, jails: ["sshd"], fail2ban: 1, listed: ["fleet"] });
  assert.match(hint, /`fleetban unban 45\.83\.13\.1` on the coordinator pardons it everywhere/);
  assert.ok(!(await server.fail2ban.banned()).includes(ip));
  await eventually("no local entry", async () => !(await server.kernelSet("fleetban-local-v4")).has(ip));
  const kinds = async () => (await admin.explain(ip)).sightings.map(({ kind }) => kind).sort();
  await eventually("both acts are told", async () => (await kinds()).length === 2);
  assert.deepEqual(await kinds(), ["ban", "unban-by-hand"]);
});

test("a plain file is imported whole or not at all, and a second time nothing counts", { skip }, async () => {
  const file = join(fleet.dir, "old-bans");
  await writeFile(file, "# nightly\n45.83.14.1\n45.83.14.2 ; twice\n2a01:4f8:14::1\n45.83.14.999\n10.1.2.3\n");
  const { error, code } = await failed("import", file);
  assert.equal(code, 1);
  assert.match(error, /old-bans:5: prefix 45\.83\.14\.999/);
  assert.match(error, /old-bans:6: 10\.1\.2\.3: it is in 10\.0\.0\.0\/8/);
  assert.match(error, /2 lines can't be imported; nothing was/);
  assert.equal((await admin.explain("45.83.14.1")).sightings.length, 0);

  const [first] = await agentJson("import", file, "--skip-bad", "--jail", "nightly");
  assert.deepEqual(first, { bans: 3, told: 3, known: 0, left_out: 2, dry_run: false });
  await eventually("the other drops them", async () => {
    const [v4, v6] = [await other.kernelSet("fleetban-fleet-v4"), await other.kernelSet("fleetban-fleet-v6")];
    return v4.has("45.83.14.1") && v4.has("45.83.14.2") && v6.has("2a01:4f8:14::/64");
  });
  const [second] = await agentJson("import", file, "--skip-bad", "--jail", "nightly");
  assert.deepEqual(second, { bans: 3, told: 0, known: 3, left_out: 2, dry_run: false });
  const { sightings } = await admin.explain("45.83.14.1");
  assert.deepEqual(
    sightings.map(({ source, jail }) => `${source} ${jail}`),
    ["import nightly"],
  );
});

test("a file imported again by an agent that has forgotten all is no second sighting for the ledger", {
  skip,
}, async () => {
  const file = join(fleet.dir, "again");
  await writeFile(file, "45.83.15.1\n");
  const anHourAgo = Date.now() - 3_600_000; // when it was imported first
  await writeFile(join(server.agent.dataDir, "imported"), `${anHourAgo} ["import","45.83.15.1"]\n`);
  await agentJson("import", file);
  await eventually("it is told", async () => (await admin.explain("45.83.15.1")).sightings.length === 1);
  const [told] = (await admin.explain("45.83.15.1")).sightings;
  assert.ok(Math.abs(Number(told?.atMs) - anHourAgo) < 5_000, "it is still the ban of an hour ago");
  await server.agent.stop();
  const spool = join(server.agent.dataDir, "spool");
  await server.host.run("sh", ["-c", `rm -rf '${spool}'; mkdir '${spool}'`]);
  await server.agent.start();
  await agentJson("import", file);
  const outcomes = async () => (await admin.explain("45.83.15.1")).sightings.map(({ outcome }) => outcome);
  await eventually("it is told again", async () => (await outcomes()).length === 2);
  assert.deepEqual([...(await outcomes())].sort(), ["counted", "repeated"]);
});

test("fail2ban's database is imported while no fail2ban runs, and its restart tells none of it again", {
  skip,
}, async () => {
  const ip = "45.83.16.1";
  await server.agent.stop();
  await server.fail2ban.client("set", "sshd", "banip", ip);
  const database = join(fleet.dir, "one/fail2ban/fail2ban.sqlite3");
  await eventually("fail2ban has written it", async () =>
    (await server.host.run("strings", [database]).catch(() => readFile(database, "latin1"))).includes(ip),
  );
  await server.fail2ban.stop();
  await writeFile(server.fail2ban.handoff, ""); // as if the action had not been there yet
  await server.agent.start();
  const [answer] = await agentJson("import", "--fail2ban", database, "--skip-bad");
  assert.ok((answer as { told: number }).told >= 1);
  await server.fail2ban.start();
  await eventually("it is restored", async () =>
    (await readFile(server.fail2ban.banLog, "utf8")).includes(`Restore Ban ${ip}`),
  );
  await server.fail2ban.client("set", "sshd", "banip", "45.83.16.2"); // behind it all that was before has been read
  await eventually("the next one is told", async () => (await admin.explain("45.83.16.2")).sightings.length === 1);
  const { sightings } = await admin.explain(ip);
  assert.deepEqual(
    sightings.map(({ source, jail, kind }) => `${kind} ${source} ${jail}`),
    ["ban import sshd"],
  );
});

test("without an agent each of them says so, with exit code 1", { skip }, async () => {
  await server.agent.stop();
  for (const args of [
    ["ban", "45.83.17.1"],
    ["unban", "45.83.17.1"],
    ["import", "/etc/hostname"],
  ]) {
    const { error, code } = await failed(...args);
    assert.match(error, /no agent answers at .*agent\.sock.*\n.*hint: start it with `systemctl start fleetban-agent`/s);
    assert.equal(code, 1);
  }
});

async function agentJson(...args: readonly string[]): Promise<readonly [unknown, string]> {
  const { stdout, stderr, code } = await runAgent(...args, "--json");
  assert.equal(code, 0, stderr);
  return [JSON.parse(stdout), stderr];
}

async function failed(...args: readonly string[]): Promise<{ error: string; code: number | null }> {
  const { stderr, code } = await runAgent(...args);
  return { error: stderr, code };
}

async function runAgent(...args: readonly string[]) {
  const child = server.host.spawn(programPath("fleetban-agent"), [...args, "--config", server.agent.configFile], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = await Promise.all([child.stdout, child.stderr].map((stream) => Array.fromAsync(stream ?? [])));
  const [stdout = "", stderr = ""] = texts.map((pieces) => Buffer.concat(pieces).toString());
  return {
    stdout,
    stderr,
    code: child.exitCode ?? (await new Promise<number | null>((done) => child.once("exit", done))),
  };
}
