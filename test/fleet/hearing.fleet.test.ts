/** An agent that does not hear a jail, or its log, says so everywhere, and says it no more when it is mended. */
import assert from "node:assert/strict";
import { appendFile, readFile, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { WarnableCode } from "@fleetban/agent/health/warnables";
import { eventually } from "../support/fleet/eventually.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";
import { programPath } from "../support/fleet/programs.ts";
import type { FleetServer } from "../support/fleet/server.ts";

const skip = needs("ip", "ipset", "iptables", "fail2ban-server", "sshd", "ssh");
const LONG_MS = 120_000;
const DAYS_AGO = new Date(Date.now() - 3 * 86_400_000);

let fleet: Fleet;
let server: FleetServer;
let jails: string;
let webLog: string;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  server = await fleet.server(1, { isIdle: true, agentConfig: { "fail2ban.compare_every": "2s" } });
  jails = join(fleet.dir, "one/fail2ban/etc/jail.local");
  webLog = join(fleet.dir, "one/web.log");
  await writeFile(webLog, "nothing yet\n");
  await addJail("web");
  await Promise.all([server.agent.start(), server.fail2ban.start()]);
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a jail whose own action leaves fleetban out is warned of in status, check and at the coordinator", {
  skip,
}, async () => {
  await isNot("jail-left-out");
  await addJail("own", "action = nothing");
  await server.fail2ban.client("reload");
  assert.equal(await is("jail-left-out"), "own");
  const shown = await agentText("status");
  assert.match(
    shown,
    /warn: jail-left-out since .* \(own\)\n {2}a jail does not run the fleetban action;.*add `fleetban`/,
  );
  assert.match(await agentText("check"), /^FLEETBAN WARNING - jail-left-out \|/);
  await eventually("the coordinator shows it", async () =>
    (await fleet.coordinator.cliText(["agents", "list"])).includes("jail-left-out"),
  );
  await server.fail2ban.client("set", "own", "addaction", "fleetban");
  await isNot("jail-left-out");
  await eventually(
    "the coordinator shows it no more",
    async () => !(await fleet.coordinator.cliText(["agents", "list"])).includes("jail-left-out"),
  );
});

test("a jail whose bans do not come by the hand-off is unheard although others are heard, until one comes", {
  skip,
}, async () => {
  await addJail("elsewhere", `action = fleetban[handoff="${join(fleet.dir, "lost")}"]`);
  await server.fail2ban.client("reload");
  await server.fail2ban.client("set", "web", "banip", "45.83.20.1");
  await isNot("jail-unheard");
  await server.fail2ban.client("set", "elsewhere", "banip", "45.83.20.2");
  assert.equal(await is("jail-unheard"), "elsewhere");
  await eventually("it is found by asking", async () =>
    (await server.kernelSet("fleetban-local-v4")).has("45.83.20.2"),
  );
  await replaceInJails(`fleetban[handoff="${join(fleet.dir, "lost")}"]`, "fleetban");
  await server.fail2ban.client("reload", "--restart", "elsewhere");
  await isNot("jail-unheard");
});

test("a jail whose log stands still while another's grows is deaf until it grows again", { skip }, async () => {
  await isNot("jail-deaf");
  await appendFile(server.authLog, "");
  await utimes(server.authLog, new Date(), new Date());
  await utimes(webLog, DAYS_AGO, DAYS_AGO);
  assert.match((await is("jail-deaf")) ?? "", /web: .*web\.log has not grown for 1d/);
  await rename(webLog, `${webLog}.1`);
  await eventually("it is gone", async () => (await warnable("jail-deaf"))?.detail.includes("can't be found"), LONG_MS);
  await writeFile(webLog, "grows again\n");
  await isNot("jail-deaf");
});

test("a log that is followed and not there, or silent, is warned of until it tells", { skip }, async () => {
  const { banLog } = server.fail2ban;
  await server.agent.stop();
  const config = JSON.parse(await readFile(server.agent.configFile, "utf8")) as Record<string, unknown>;
  const other = join(fleet.dir, "one/other.log");
  await writeFile(server.agent.configFile, JSON.stringify({ ...config, "fail2ban.log": other }));
  await server.agent.start();
  assert.match((await is("log-unreadable")) ?? "", /other\.log is not there/);
  await writeFile(other, "");
  await isNot("log-unreadable");
  await server.fail2ban.client("set", "web", "banip", "45.83.20.3");
  assert.match((await is("log-silent")) ?? "", new RegExp(`45\\.83\\.20\\.3 by web is not in it; .*${banLog}`));
  await server.fail2ban.client("set", "logtarget", other);
  await server.fail2ban.client("set", "web", "banip", "45.83.20.4");
  await isNot("log-silent");
});

async function addJail(name: string, ...lines: readonly string[]): Promise<void> {
  const base = ["enabled = true", "backend = polling", "filter = sshd", `logpath = ${webLog}`, "ignoreself = false"];
  await appendFile(jails, `\n[${name}]\n${[...base, ...lines].join("\n")}\n`);
  await writeFile(join(jails, "../action.d/nothing.conf"), "[Definition]\nactionban = true\n");
}

async function replaceInJails(text: string, by: string): Promise<void> {
  await writeFile(jails, (await readFile(jails, "utf8")).replace(text, by));
}

async function warnable(code: WarnableCode) {
  return (await server.agent.status()).warnables.find((one) => one.code === code);
}

/** Its detail. */
async function is(code: WarnableCode): Promise<string | undefined> {
  return (await eventually(`${code} is raised`, () => warnable(code), LONG_MS)).detail;
}

async function isNot(code: WarnableCode): Promise<void> {
  await eventually(`${code} is not raised`, async () => (await warnable(code)) === undefined, LONG_MS);
}

/** Whatever its exit code. */
async function agentText(command: string): Promise<string> {
  const child = server.host.spawn(programPath("fleetban-agent"), [command, "--config", server.agent.configFile], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return Buffer.concat(await Array.fromAsync(child.stdout ?? [])).toString();
}
