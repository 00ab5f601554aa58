/** Garbage from wherever input comes: nothing of it stops an agent, is believed, is run, or costs the good beside it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { access, appendFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startFail2ban } from "../support/fail2ban.ts";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { askSocket } from "../support/fleet/burst.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { banRecord, handOver } from "../support/fleet/hand-over.ts";
import { countSightings } from "../support/fleet/ledger-sql.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs("fail2ban-server");
/** 64 characters are kept of a name: these are fewer. */
const NASTY = `we"ird $(touch PWNED) \`touch PWNED\` 'q'; touch PWNED | & * \\n`;
const LINES = "two\nlines \u001b[31mred\u0007 \u202eback";

let fleet: Fleet;
let admin: Admin;
let agent: FleetAgent;
let handoff: string;
let socket: string;
const told = new Set<string>();

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  handoff = join(fleet.dir, "handoff");
  socket = join(fleet.dir, "one.sock");
  agent = await fleet.agent(1, { config: { "fail2ban.handoff": handoff, socket } });
  await agent.start();
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("garbage, an endless line and half a line on the socket are answered, and the next ban is taken", {
  skip,
}, async () => {
  const life = agent.pid();
  const good = (address: string) => `{"ip":"${address}","jail":"tool"}\n`;
  const answers = [
    ...(await askSocket(socket, Buffer.concat([randomBytes(3_000), Buffer.from("\n")]))),
    ...(await askSocket(socket, "x".repeat(100_000))),
    ...(await askSocket(socket, `{"ip":"${expected("45.83.1.1")}"}\n{"ip":"45.83.1.2"`)),
    ...(await askSocket(
      socket,
      `{"ip":"1.2.3"}\nnull\n[]\n{"ip":"45.83.1.3","jail":7}\n${good(expected("45.83.1.4"))}`,
    )),
  ].map((line) => JSON.parse(line) as { ok: boolean; error?: string });
  assert.equal(answers.filter(({ ok }) => ok).length, 2);
  assert.ok(answers.every(({ ok, error }) => ok || (error?.length ?? 0) > 10));
  await countsExactlyTold();
  assert.equal(agent.pid(), life);
});

test("torn and foreign bytes in the hand-off file cost nothing but themselves", { skip }, async () => {
  const torn = banRecord({ address: "45.83.2.1" });
  await appendFile(handoff, torn.slice(0, 40));
  await handOver(handoff, { address: expected("45.83.2.2") });
  await appendFile(handoff, randomBytes(10_000));
  await appendFile(handoff, banRecord({ address: "not an address" }));
  await handOver(handoff, { address: expected("45.83.2.3") });
  await countsExactlyTold();
});

test("torn and foreign bytes in the spool cost nothing but themselves", { skip }, async () => {
  await fleet.network.cut(agent.host);
  const waiting = Array.from({ length: 20 }, (_, at) => expected(`45.83.3.${at + 1}`));
  await handOver(handoff, ...waiting.map((address) => ({ address })));
  await eventually("they wait in the spool", async () => (await agent.status()).spool.sightings === waiting.length);
  await agent.kill9();
  await damageSpool(join(agent.dataDir, "spool"));
  await fleet.network.heal(agent.host);
  await agent.start();
  await countsExactlyTold();
  assert.equal((await agent.status()).spool.lost, 0);
});

test("a jail named with quotes and shell syntax is in explain as it is, and nothing of it was run", {
  skip,
}, async () => {
  const folder = join(fleet.dir, "fail2ban");
  const fail2ban = await startFail2ban({
    folder,
    handoffPath: handoff,
    jails: [{ name: NASTY }],
    spawn: (command, args) => agent.host.spawn(command, args, { cwd: fleet.dir }),
  });
  await fail2ban.banip(NASTY, expected("45.83.4.1"));
  await countsExactlyTold();
  await fail2ban.stop();
  const { sightings } = await admin.explain("45.83.4.1");
  assert.equal(sightings[0]?.jail, NASTY);
  assert.ok((await fleet.coordinator.cliText(["explain", "45.83.4.1"])).includes(NASTY));
  for (const where of [fleet.dir, folder, process.cwd(), join(folder, "..")]) {
    await assert.rejects(access(join(where, "PWNED")), "the jail's name was run as shell");
  }
});

test("of a jail named with newlines the control characters are left out, and the rest is harmless on a terminal", {
  skip,
}, async () => {
  await askSocket(socket, `${JSON.stringify({ ip: expected("45.83.4.2"), jail: LINES })}\n`);
  await handOver(handoff, { address: expected("45.83.4.3"), jail: LINES });
  await countsExactlyTold();
  for (const address of ["45.83.4.2", "45.83.4.3"]) {
    const { sightings } = await fleet.coordinator.cli<{ sightings: { jail: string }[] }>(["explain", address]);
    assert.equal(sightings[0]?.jail, LINES.replaceAll(/\p{Cc}/gu, ""));
    const text = await fleet.coordinator.cliText(["explain", address]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    assert.match(text, /twolines/);
  }
});

/** Is to be counted once. */
function expected(address: string): string {
  told.add(address);
  return address;
}

async function countsExactlyTold(): Promise<void> {
  const once = new Map([...told].map((address) => [address, 1]));
  const isThrough = async () => (await countSightings(fleet.coordinator)).size >= once.size;
  await eventually("what was told is counted", isThrough, 90_000);
  assert.deepEqual(await countSightings(fleet.coordinator), once);
}

/** As a power cut would leave the newest segment, and worse. */
async function damageSpool(spool: string): Promise<void> {
  const segments = (await readdir(spool)).filter((name) => /\d/.test(name)).sort();
  const newest = join(spool, segments.at(-1)!);
  const bytes = await readFile(newest);
  await appendFile(newest, randomBytes(500));
  await appendFile(newest, bytes.subarray(0, 50)); // a record that breaks off
}
