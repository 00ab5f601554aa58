/** A first enforcement that is tried: it undoes itself, whatever becomes of the agent, unless somebody confirms it. */
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { formatDuration } from "@fleetban/kit/duration";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, type Receiver, startReceiver, startSender } from "../support/fleet/packets.ts";
import { type Ending, tryProgram } from "../support/fleet/try-program.ts";

const skip = needs();
/** A trial lasts so long, and so many times what a look at the agent's state takes. */
const SHORT_SECONDS = 18;
const LOOKS = 25;
/** A trial, and what comes after it. */
const OVER_MS = 240_000;
const BOOT_SCRIPT = join(import.meta.dirname, "../../deploy/boot/fleetban-boot.sh");

let fleet: Fleet;
let agent: FleetAgent;
let host: Host;
let receiver: Receiver;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  agent = await fleet.agent(1, { config: { backend: "dry-run" } });
  host = agent.host;
  receiver = await startReceiver(host);
  for (const [name, address] of [
    ["attacker", ATTACKER],
    ["witness", WITNESS],
  ] as const) {
    startSender(await fleet.network.host(name, [address]), [serverAddress(1)], 5);
  }
  await fleet.coordinator.cli(["ban", ATTACKER, "--reason", "test"]);
  await agent.start();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("an agent that only counts lets everybody in, and needs no undoing", { skip }, async () => {
  await eventually("the ban is counted", async () => (await entries()) > 0);
  await arrives(receiver, ATTACKER);
  assertRefused(await enforce("--confirm"), /nothing to confirm: no trial is running/);
  assertRefused(await enforce("--undo"), /nothing to undo/);
  assertRefused(await enforce("--for", "5s"), /--for 5s: must be 10s to 7d/, 2);
  assertRefused(await enforce(), /needs one of --for DURATION, --confirm and --undo/, 2);
  assert.equal(await kernel(), "");
});

test("a trial enforces, then takes everything away and counts on", { skip }, async () => {
  const seconds = await trialSeconds();
  const ending = await enforce("--for", `${seconds}s`);
  assert.equal(ending.exitCode, 0, ending.stderr);
  const said = `enforcing by ipset for ${formatDuration(seconds)}; after that, or a restart of the machine, it is undone`;
  assert.ok(ending.stdout.includes(said), ending.stdout);
  await dropped();
  const entry = new RegExp(`add fleetban-fleet-v4 ${ATTACKER} timeout (\\d+) `).exec(await host.run("ipset", ["save"]));
  assert.ok(Number(entry?.[1]) <= seconds, `it is in force for ${entry?.[1]} s`);
  await assert.rejects(access(join(agent.dataDir, "boot", "base")), { code: "ENOENT" }); // a restart would load nothing
  assert.match(await host.run("cat", [join(agent.dataDir, "enforce.json")]), /"kind":"trial"/);
  await eventually("the trial is over", async () => (await agent.status()).enforcing.kind === "ended", OVER_MS);
  await arrives(receiver, ATTACKER);
  assert.equal(await kernel(), "");
  assertRefused(await enforce("--confirm"), /the trial has ended \(nobody confirmed it\)/);
});

test("killed in the middle, the kernel lets in by itself at the end, and the next start tidies up", {
  skip,
}, async () => {
  assert.equal((await enforce("--for", `${await trialSeconds()}s`)).exitCode, 0);
  await dropped();
  await agent.kill9();
  await dropped(); // a kill is not the end
  await eventually("the kernel lets in by itself", () => hasArrived(), OVER_MS);
  assert.match(await kernel(), /fleetban-fleet-v4/);
  const { endsAtUptimeMs } = JSON.parse(await host.run("cat", [join(agent.dataDir, "enforce.json")]));
  await eventually("its time is over", () => uptime() * 1_000 > endsAtUptimeMs, OVER_MS);
  await agent.start();
  assert.equal((await agent.status()).enforcing.kind, "ended");
  assert.equal(await kernel(), "");
});

test("a trial goes on after a restart of the agent, and is confirmed for good, the boot load included", {
  skip,
}, async () => {
  assert.equal((await enforce("--for", "1h")).exitCode, 0);
  await agent.kill9();
  await agent.start();
  assert.equal((await agent.status()).enforcing.kind, "trial");
  await dropped();
  const watch = receiver.watch(ATTACKER);
  const confirmed = await enforce("--confirm");
  assert.equal(confirmed.exitCode, 0, confirmed.stderr);
  assert.match(confirmed.stdout, /agent\.yaml still says `backend: dry-run`/);
  await dropped();
  assert.equal(watch.arrived(), 0, "let in while it was confirmed");
  await eventually("leases are long", async () => /timeout [1-9]\d{4,}/.test(await host.run("ipset", ["save"])));
  await eventually("the boot load has it", () => access(join(agent.dataDir, "boot", "base")).then(() => true));
  await agent.kill9();
  await forgetEverything();
  await arrives(receiver, ATTACKER);
  await host.run("sh", [BOOT_SCRIPT, join(agent.dataDir, "boot")]);
  await dropped();
  await agent.start();
  assert.equal((await agent.status()).enforcing.kind, "confirmed");
  await dropped();
  assertRefused(await enforce("--for", "10m"), /enforces already/);
});

test("what was confirmed is undone when somebody asks for it", { skip }, async () => {
  assert.equal((await enforce("--undo")).exitCode, 0);
  await arrives(receiver, ATTACKER);
  assert.equal(await kernel(), "");
  assert.match((await agent.status()).enforcing.kind, /ended/);
});

test("uninstalling takes all away that any backend left, the boot load too, and not under a running agent", {
  skip,
}, async () => {
  assert.equal((await enforce("--for", "1h")).exitCode, 0);
  assert.equal((await enforce("--confirm")).exitCode, 0);
  await eventually("the boot load has it", () => access(join(agent.dataDir, "boot", "base")).then(() => true));
  assertRefused(await agentProgram("uninstall"), /runs as process \d+ and would put it back/);
  await agent.stop();
  await dropped(); // stopping removes nothing
  await host.run("sh", ["-ec", FOREIGN]);
  const before = await foreign();
  await host.run("sh", ["-ec", LEFT_BY_OTHERS]);
  const ending = await agentProgram("uninstall");
  assert.equal(ending.exitCode, 0, ending.stderr);
  for (const said of [/set fleetban-fleet-v4/, /chain fleetban-in/, /routes of table 7741/, /boot load/]) {
    assert.match(ending.stdout, said);
  }
  assert.equal(await kernel(), "");
  assert.equal(await foreign(), before);
  await assert.rejects(access(join(agent.dataDir, "boot", "base")), { code: "ENOENT" });
  assert.match((await agentProgram("uninstall")).stdout, /nothing of fleetban is in the kernel/);
});

const FOREIGN = `ipset create other hash:ip; ipset add other 7.7.7.7; iptables -t mangle -N other; iptables -t mangle -A PREROUTING -j other
  nft add table inet other; ip rule add to 8.8.8.8 lookup 99 pref 800; ip route add blackhole 9.9.9.0/24 table 99`;
const LEFT_BY_OTHERS =
  "ip route add blackhole 45.1.1.1 table 7741 proto 136 metric 4000000000; ip rule add lookup 7741 pref 741";

async function enforce(...words: readonly string[]): Promise<Ending> {
  return await agentProgram("enforce", ...words);
}

async function agentProgram(...words: readonly string[]): Promise<Ending> {
  return await tryProgram(host, "fleetban-agent", [...words, "--config", agent.configFile]);
}

function assertRefused(ending: Ending, said: RegExp, exitCode = 1): void {
  assert.match(ending.stderr, said);
  assert.equal(ending.exitCode, exitCode, ending.stderr);
  assert.doesNotMatch(ending.stderr, /^\s+at /m, "it shows a stack");
}

async function dropped(): Promise<void> {
  await eventually("packets are dropped", () => isDropped(receiver, ATTACKER, WITNESS, 5));
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
}

async function hasArrived(): Promise<boolean> {
  return !(await isDropped(receiver, ATTACKER, WITNESS, 5));
}

/** Not over before all is seen that is to be seen in it, however busy the machine is. */
async function trialSeconds(): Promise<number> {
  const begunMs = performance.now();
  await agent.status();
  return Math.ceil(SHORT_SECONDS + (LOOKS * (performance.now() - begunMs)) / 1_000);
}

async function entries(): Promise<number> {
  return (await agent.status()).lists.find(({ name }) => name === "fleet")?.kernelEntries ?? 0;
}

/** All that is ours in the kernel, by any backend; empty = nothing. */
async function kernel(): Promise<string> {
  const script = `{ ipset list -n; iptables-save; ip6tables-save; nft list tables; ip rule; ip -6 rule
    ip route show table 7741; ip -6 route show table 7741; } 2>/dev/null | grep -E 'fleetban|7741|blackhole' || true`;
  return (await host.run("sh", ["-c", script])).trim();
}

async function foreign(): Promise<string> {
  const script = `{ ipset save other; iptables -t mangle -S | grep other; nft list table inet other; ip rule | grep -v 7741
    ip route show table 99; } 2>/dev/null`;
  return await host.run("sh", ["-c", script]);
}

/** As a restart of the machine does. */
async function forgetEverything(): Promise<void> {
  const script =
    "iptables -t mangle -F; iptables -t mangle -X; ip6tables -t mangle -F; ip6tables -t mangle -X; ipset destroy";
  await host.run("sh", ["-ec", script]);
}
