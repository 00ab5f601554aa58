/** What an agent reports of its kernel is computed from the kernel: who tampers with a set is seen, and put right. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { readKernelSet } from "../support/fleet/kernel-set.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs();
const SET = "fleetban-fleet-v4";
const BANNED = ["45.83.1.1", "45.83.1.2", "45.83.1.3"] as const;
/** A second or two; looks are rarer where a look takes long. */
const REPAIRS_MS = 120_000;
const FOREIGN = "45.83.9.9";

let fleet: Fleet;
let admin: Admin;
/** Looks at its kernel by itself only each hour: what it reports it has read for the report. */
let sleepy: FleetAgent;
let watchful: FleetAgent;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  sleepy = await fleet.agent(1, { config: { "reconcile.check_every": "1h" } });
  watchful = await fleet.agent(2);
  await Promise.all([sleepy.start(), watchful.start()]);
  for (const address of BANNED) await ban(address);
  await untilAllAgree(fleet.coordinator, [sleepy, watchful]);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("an entry deleted behind the agent's back changes the digest that it reports", { skip }, async () => {
  await sleepy.host.run("ipset", ["del", SET, BANNED[0]]);
  const { mirrorAgrees } = await differsAtBan("45.83.2.1");
  assert.ok(mirrorAgrees);
  assert.equal((await reportedBy(watchful)).kernelAgrees, "yes");
});

test("having read it, the agent puts the entry back, and reports once more", { skip }, async () => {
  await eventually("the entry is there", async () => (await readKernelSet(sleepy.host, SET)).has(BANNED[0]));
  await eventually("the digest is right again", async () => (await reportedBy(sleepy)).kernelAgrees === "yes");
  assert.equal((await sleepy.status()).firewall.driftEntries, 1);
});

test("a foreign entry changes it as well, and is taken out", { skip }, async () => {
  await sleepy.host.run("ipset", ["add", SET, FOREIGN]);
  await differsAtBan("45.83.2.3");
  await eventually("it is gone", async () => !(await readKernelSet(sleepy.host, SET)).has(FOREIGN));
  await eventually("the digest is right again", async () => (await reportedBy(sleepy)).kernelAgrees === "yes");
});

test("without anybody asking, a deleted entry and a flushed set are repaired within seconds", { skip }, async () => {
  await watchful.host.run("ipset", ["del", SET, BANNED[1]]);
  const isThere = async () => (await readKernelSet(watchful.host, SET)).has(BANNED[1]);
  await eventually("the entry is there", isThere, REPAIRS_MS);
  await watchful.host.run("ipset", ["flush", SET]);
  await untilAllAgree(fleet.coordinator, [watchful, sleepy]);
});

test("a rule taken away is put back, a set destroyed with it too", { skip }, async () => {
  await watchful.host.run("iptables", ["-t", "mangle", "-D", "PREROUTING", "-j", "fleetban-in"]);
  const isThere = () => watchful.host.run("iptables", ["-t", "mangle", "-C", "PREROUTING", "-j", "fleetban-in"]);
  await eventually("the rule is there", async () => (await isThere()) === "", REPAIRS_MS);
  await watchful.host.run("iptables", ["-t", "mangle", "-F"]);
  await watchful.host.run("ipset", ["destroy", SET]);
  await untilAllAgree(fleet.coordinator, [watchful, sleepy]);
  await eventually("the rule is there again", async () => (await isThere()) === "");
});

async function ban(address: string): Promise<void> {
  await fleet.coordinator.cli(["ban", address, "--reason", "test", "--wait"]);
}

/** The ban asks for a report. It is looked for meanwhile: a second later the next one tells that all is well again. */
async function differsAtBan(address: string) {
  const look = async () => {
    const report = await reportedBy(sleepy);
    return report.kernelAgrees === "no" && report;
  };
  const [report] = await Promise.all([eventually("a report that the kernel differs", look), ban(address)]);
  return report;
}

async function reportedBy({ name }: FleetAgent) {
  const { agents } = await admin.status();
  return agents.find((agent) => agent.name === name)!.lists.find((list) => list.name === "fleet")!;
}
