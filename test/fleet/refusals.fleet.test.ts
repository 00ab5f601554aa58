/** What is not done, and how it is said: in a sentence with the remedy, an exit code, and no stack. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { COORDINATOR, type Fleet, openFleet, serverAddress } from "../support/fleet/open-fleet.ts";
import type { ProgramName } from "../support/fleet/programs.ts";
import { type Ending, tryProgram } from "../support/fleet/try-program.ts";

const skip = needs();

let fleet: Fleet;
let admin: Admin;
let agent: FleetAgent;
let home: Host;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  home = fleet.coordinator.host;
  agent = await fleet.agent(1);
  await agent.start();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

const UNBANNABLE = [
  ["0.0.0.0/0", 2, /0\.0\.0\.0\/0: is the whole internet/],
  ["::/0", 2, /::\/0: is the whole internet/],
  ["10.0.0.1", 1, /10\.0\.0\.1: is inside 10\.0\.0\.0\/8, a protected range/],
  ["1.2.3", 2, /1\.2\.3: is a short form\nfleetban: hint: write all four numbers/],
  ["1.2.3.4/33", 2, /1\.2\.3\.4\/33: length must be 0 to 32\nfleetban: hint: write 1\.2\.3\.4 for one address/],
  [serverAddress(1), 1, /20\.40\.0\.11: is an address of agent one/],
  [COORDINATOR, 1, /20\.40\.0\.10: is an address of a coordinator/],
] as const;

for (const [prefix, exitCode, said] of UNBANNABLE) {
  test(`ban ${prefix} is refused`, { skip }, async () => {
    const ending = await fleetban("ban", prefix, "--reason", "test");
    assertRefused(ending, "fleetban", exitCode, said);
    assert.match(ending.stderr, /^fleetban: hint: /m);
    assert.deepEqual(await admin.listings("fleet"), []);
  });
}

test("a wide ban shows its plan and wants --yes", { skip }, async () => {
  const ending = await fleetban("ban", "45.80.0.0/12", "--reason", "test");
  assert.equal(ending.exitCode, 2);
  assert.match(ending.stdout, /45\.80\.0\.0\/12 [\s\S]*nothing was changed/);
  assert.deepEqual(await admin.listings("fleet"), []);
});

const BAD_AGENT = "leese: 7d\nmax_entries: lots\nhealth.port: 99999\n";
const BAD_COORDINATOR = "retentoin: 30d\nlog_level: loud\nweb.port: 0\n";

test("unknown and malformed keys of agent.yaml are told with file, line, key and remedy, all at once", {
  skip,
}, async () => {
  const file = await writeConfig("bad-agent.yaml", BAD_AGENT);
  const ending = await tryProgram(agent.host, "fleetban-agent", ["run", "--config", file]);
  assertRefused(ending, "fleetban-agent", 2, /bad-agent\.yaml:1: leese is no key of this file; did you mean lease\?/);
  assert.match(ending.stderr, /bad-agent\.yaml:2: max_entries is "lots": must be a whole number from 1024/);
  assert.match(ending.stderr, /bad-agent\.yaml:3: health\.port is 99999: must be a whole number from 0 to 65535/);
});

test("unknown and malformed keys of coordinator.yaml are told likewise", { skip }, async () => {
  const file = await writeConfig("bad-coordinator.yaml", BAD_COORDINATOR);
  const ending = await tryProgram(home, "fleetban-coordinator", ["--config", file]);
  assertRefused(ending, "fleetban-coordinator", 2, /bad-coordinator\.yaml:1: retentoin .*did you mean retention\?/);
  assert.match(ending.stderr, /bad-coordinator\.yaml:2: log_level is "loud": must be one of debug, info, warn, error/);
  assert.match(ending.stderr, /bad-coordinator\.yaml:3: web\.port is 0: must be a whole number from 1 to 65535/);
});

test("what is no YAML is told with its line", { skip }, async () => {
  const file = await writeConfig("no.yaml", "a: [1\n");
  const ofAgent = await tryProgram(agent.host, "fleetban-agent", ["run", "--config", file]);
  assertRefused(ofAgent, "fleetban-agent", 2, /no\.yaml:\d+: is no YAML/);
  const ofCoordinator = await tryProgram(home, "fleetban-coordinator", ["--config", file]);
  assertRefused(ofCoordinator, "fleetban-coordinator", 2, /no\.yaml:\d+: is no YAML/);
});

test("ports that are taken are named with their key, by both programs", { skip }, async () => {
  const config = join(fleet.coordinator.dir, "coordinator.yaml"); // it runs already
  const ofCoordinator = await tryProgram(home, "fleetban-coordinator", ["--config", config]);
  assertRefused(ofCoordinator, "fleetban-coordinator", 1, /port .*:7741 .*is taken.*[\s\S]*listen\.fleet_port/);
  const other = await writeConfig("other.yaml", JSON.stringify({ data_dir: join(fleet.dir, "other"), socket: "" }));
  const ofAgent = await tryProgram(agent.host, "fleetban-agent", ["run", "--config", other]);
  assertRefused(ofAgent, "fleetban-agent", 1, /health\.port 7744 on 127\.0\.0\.1: is taken/);
});

test("a second agent on one data directory ends at once, and names directory and process", { skip }, async () => {
  const config = { data_dir: agent.dataDir, socket: join(fleet.dir, "second.sock"), "health.port": 7_799 };
  const second = await writeConfig("second.yaml", JSON.stringify(config));
  const ending = await tryProgram(agent.host, "fleetban-agent", ["run", "--config", second]);
  assertRefused(
    ending,
    "fleetban-agent",
    1,
    new RegExp(`data_dir ${agent.dataDir}: is in use .* pid ${agent.pid()}$`, "m"),
  );
  assert.equal(ending.stdout, "", "it has logged what it did");
  assert.equal((await agent.status()).link.kind, "online");
});

test("a token is read from a file; given twice, or not at all, it is asked for", { skip }, async () => {
  const file = await writeConfig("token", `${await fleet.coordinator.enrollToken()}\n`);
  assertRefused(await enroll("fbe1.a.b@c:1", "--token-file", file), "fleetban-agent", 2, /given twice/);
  assertRefused(await enroll("--token-file", `${file}.none`), "fleetban-agent", 2, /token\.none: can't be read/);
  assertRefused(await enroll(), "fleetban-agent", 2, /enrollment token: none is given/);
  assert.equal((await enroll("--token-file", file)).exitCode, 0);
});

test("a token that is cut off, wrong, or of another fleet enrolls nobody", { skip }, async () => {
  const token = await fleet.coordinator.enrollToken();
  assertRefused(await enroll(token.split(".")[0]!), "fleetban-agent", 2, /enrollment token/);
  assertRefused(await enroll(changed(token, 1)), "fleetban-agent", 1, /refuses: enrollment token.*/);
  assertRefused(await enroll(changed(token, 2)), "fleetban-agent", 1, /not the coordinator|fingerprint|another/i);
  assert.equal((await enroll(token)).exitCode, 0); // none of it has used it up
});

test("a token that is used, expired or revoked enrolls nobody", { skip }, async () => {
  const used = await fleet.coordinator.enrollToken();
  assert.equal((await enroll(used)).exitCode, 0);
  assertRefused(await enroll(used), "fleetban-agent", 1, /has been used already[\s\S]*fleetban enrollments create/);
  const brief = await fleet.coordinator.cli<{ token: string; enrollment_no: number }>([
    "enrollments",
    "create",
    "--valid",
    "1s",
  ]);
  await eventually("it has expired", async () => (await stateOf(brief.enrollment_no)) === "expired");
  assertRefused(await enroll(brief.token), "fleetban-agent", 1, /ended at [\s\S]*fleetban enrollments create/);
  const open = await fleet.coordinator.cli<{ token: string; enrollment_no: number }>(["enrollments", "create"]);
  await fleet.coordinator.cli(["enrollments", "revoke", String(open.enrollment_no)]);
  assertRefused(await enroll(open.token), "fleetban-agent", 1, /revoked[\s\S]*fleetban enrollments create/);
});

test("a revoked agent is cut off at once, and says why", {
  skip,
}, async () => {
  const before = await agent.status();
  assert.equal(before.link.kind, "online");
  await fleet.coordinator.cli(["agents", "revoke", "one", "--yes"]);
  await eventually("it is cut off", async () => (await agent.status()).link.kind !== "online");
  const isTold = async () => (await agent.status()).warnables.some(({ code }) => code === "certificate-refused");
  await eventually("and says why", isTold);
});

function assertRefused(ending: Ending, program: ProgramName, exitCode: number, said: RegExp): void {
  assert.match(ending.stderr, said);
  assert.equal(ending.exitCode, exitCode, ending.stderr);
  assert.ok(ending.stderr.startsWith(`${program}: error: `), ending.stderr);
  assert.doesNotMatch(ending.stderr, /^\s+at /m, "it shows a stack");
}

function fleetban(...args: readonly string[]): Promise<Ending> {
  return tryProgram(home, "fleetban", ["--socket", fleet.coordinator.socket, ...args]);
}

let enrolled = 0;

/** Each into a folder of its own. */
function enroll(...words: readonly string[]): Promise<Ending> {
  enrolled += 1;
  const dir = join(fleet.dir, `enrolled-${enrolled}`);
  return tryProgram(agent.host, "fleetban-agent", [
    "enroll",
    ...words,
    "--data-dir",
    dir,
    "--name",
    `server-${enrolled}`,
  ]);
}

/** The same but for one character of the part, which are secret and fingerprint. */
function changed(token: string, part: 1 | 2): string {
  const [head = "", at = ""] = token.split("@");
  const parts = head.split(".");
  const text = parts[part]!;
  parts[part] = `${text.startsWith("A") ? "B" : "A"}${text.slice(1)}`;
  return `${parts.join(".")}@${at}`;
}

async function stateOf(enrollmentNo: number): Promise<string | undefined> {
  const list = await fleet.coordinator.cli<{ enrollment_no: number; state: string }[]>(["enrollments", "list"]);
  return list.find((one) => one.enrollment_no === enrollmentNo)?.state;
}

async function writeConfig(name: string, text: string): Promise<string> {
  const file = join(fleet.dir, name);
  await writeFile(file, text);
  return file;
}
