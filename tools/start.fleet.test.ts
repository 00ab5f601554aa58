import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { processesWith, type Terminal, typeCommand } from "../test/support/start.ts";
import { until } from "../test/support/until.ts";
import { assertPortsFree } from "./start/free-ports.ts";
import { ROOT } from "./tool.ts";

const run = promisify(execFile);
const NOBODY = 65_534;
const SECOND_START_MS = 60_000; // seen: 2 s; the machine may be busy
const PORTS_FROM_TO = [10_000, 32_000] as const;
const STOPS_WITHIN_MS = 90_000;

let folder: string;
let checkout: string;
let data: string;
let base: number;
let terminals: Terminal[];

/** One data folder for all: every test but the first goes on where another ended. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban start-"));
  await chmod(folder, 0o755);
  [checkout, data] = [join(folder, "a check out"), join(folder, "data")];
  await copyCheckout();
  base = await freePortBase();
});
after(async () => await rm(folder, { recursive: true }));

beforeEach(() => {
  terminals = [];
});
afterEach(async () => {
  for (const { pid } of terminals) end(pid);
  await until("nothing is left running", async () => (await processesWith(folder)).length === 0, STOPS_WITHIN_MS);
});

test("from a path with a space: each closing line works as it stands, and a second start goes on", async () => {
  const first = type("npm", "start", "--", "--port-base", String(base));
  const lines = await first.closingLines();
  assert.equal(lines.length, 5, lines.join("\n"));
  const commands = lines.flatMap((line) => /npm run .*$/.exec(line)?.[0] ?? []);
  assert.ok(commands.length >= 4, lines.join("\n"));
  for (const command of commands) await shell(command);
  assert.match(await shell("npm run -s fleetban -- status"), /online/);
  await endsCleanly(first);
  await until("all have ended", async () => (await processesWith(checkout)).length === 0, STOPS_WITHIN_MS);

  const begunMs = performance.now();
  const second = type("npm", "start");
  await second.closingLines();
  assert.ok(performance.now() - begunMs < SECOND_START_MS, `${performance.now() - begunMs} ms`);
  assert.match(await shell("npm run -s fleetban -- explain 45.83.64.9"), /listed on fleet/);
  const agents = JSON.parse(await shell("npm run -s fleetban -- agents list --json")) as unknown[];
  assert.equal(agents.length, 1); // the same agent, not one more
  process.kill(second.pid, "SIGINT"); // to npm alone, as a script would
  await hasEndedCleanly(second);
});

test("after kill -9 of the start its programs end by themselves, and the next start goes on", async () => {
  const first = start();
  await first.closingLines();
  await fleetban("ban", "45.83.64.9", "--reason", "test");
  const [supervisor = 0] = await pidsOf("tools/start.ts");
  process.kill(supervisor, "SIGKILL");
  assert.equal(await first.end(), "SIGKILL");
  const second = start();
  await second.closingLines();
  assert.match(await fleetban("explain", "45.83.64.9"), /listed on fleet/);
  await until("one coordinator runs", async () => (await pidsOf("coordinator.yaml")).length === 1, STOPS_WITHIN_MS);
});

test("when the npm that was typed is killed, everything ends", async () => {
  const terminal = type("npm", "start", "--", "--data", data, "--port-base", String(base));
  await terminal.closingLines();
  process.kill(terminal.pid, "SIGKILL");
  await until("all programs end", async () => (await processesWith(data)).length === 0, STOPS_WITHIN_MS);
});

test("a program that dies is started again", async () => {
  await start().closingLines();
  const [coordinator = 0] = await pidsOf("fleetban-coordinator.mjs");
  const [agent = 0] = await pidsOf("fleetban-agent.cjs");
  process.kill(coordinator, "SIGKILL");
  process.kill(agent, "SIGKILL");
  const isBack = async () => (await fleetban("agents", "list").catch(() => "")).includes("online");
  await until(
    "both are back",
    async () => (await pidsOf("fleetban-agent.cjs")).some((pid) => pid !== agent) && isBack(),
    180_000,
  );
});

test("a taken port is named, and what the hint proposes works", async () => {
  const other = createServer().listen(base + 1, "127.0.0.1");
  try {
    const refused = start();
    assert.equal(await refused.end(), 1);
    assert.match(refused.stderr(), new RegExp(`error: port ${base + 1} \\(enrollment\\) is taken`));
    const hint = /npm start -- (--port-base \d+)$/m.exec(refused.stderr())?.[1] ?? "";
    const accepted = type("npm", "start", "--", "--data", data, ...hint.split(" "));
    await accepted.closingLines();
    await endsCleanly(accepted);
  } finally {
    other.close();
  }
});

test("a second start in the same folder is refused, and names the first", async () => {
  await start().closingLines();
  const [supervisor] = await pidsOf("tools/start.ts");
  const second = start();
  assert.equal(await second.end(), 1);
  assert.match(second.stderr(), new RegExp(`is in use by another npm start \\(process ${supervisor}\\)`));
});

test("a mistake in a configuration ends the start with file, line and remedy", async () => {
  await start().closingLines();
  const [supervisor = 0] = await pidsOf("tools/start.ts");
  process.kill(supervisor, "SIGTERM");
  await terminals[0]?.end();
  const config = join(data, "coordinator.yaml");
  const good = await readFile(config, "utf8");
  await writeFile(config, `${good}log_levle: debug\n`);
  const refused = start();
  assert.equal(await refused.end(), 1);
  await writeFile(config, good);
  assert.match(refused.stderr(), /coordinator\.yaml:\d+: log_levle .*did you mean log_level\?/);
});

test("a data folder deep in the tree works", async () => {
  const deep = join(folder, "d".repeat(60), "e".repeat(60));
  const lines = await type("npm", "start", "--", "--data", deep, "--port-base", String(base)).closingLines();
  const status = lines.find((line) => line.startsWith("the fleet"))?.replace(/^.*?(?=npm run)/, "") ?? "";
  assert.match(await shell(status), /online/);
});

const noKernel = process.getuid?.() !== 0 ? "needs root" : existsSync("/usr/sbin/ipset") ? false : "needs ipset";

test("--enforce puts a ban into the kernel; the command told at the end takes it out", { skip: noKernel }, async () => {
  const namespace = `fb-${process.pid}-start`;
  const inside = ["ip", "netns", "exec", namespace];
  await run("ip", ["netns", "add", namespace]);
  try {
    await run("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    const terminal = type(...inside, "npm", "start", "--", "--enforce", "--data", data, "--port-base", String(base));
    await terminal.closingLines();
    await fleetban("ban", "45.83.64.10", "--reason", "test", "--wait");
    const kernel = async () => (await run("ip", ["netns", "exec", namespace, "ipset", "save"])).stdout;
    assert.match(await kernel(), /^add fleetban-fleet-v4 45\.83\.64\.10 /m);
    await endsCleanly(terminal);
    assert.match(await kernel(), /^add fleetban-fleet-v4 45\.83\.64\.10 /m); // it stays in force meanwhile
    const told = /to end that: (.*)$/m.exec(terminal.stderr())?.[1] ?? "";
    await shell(`${inside.join(" ")} ${told}`);
    assert.equal(await kernel(), "");
  } finally {
    await run("ip", ["netns", "del", namespace]);
  }
});

test("an ordinary account needs nothing of root", {
  skip: process.getuid?.() === 0 ? false : "the others ran so",
}, async () => {
  const own = join(folder, "nobody's");
  await mkdir(own);
  await chown(own, NOBODY, NOBODY);
  const env = { HOME: own, FLEETBAN_SOCKET: "" };
  const command = [process.execPath, join(checkout, "tools/bootstrap.mjs"), "start", "--data", own];
  const terminal = typeCommand([...command, "--port-base", String(base)], { cwd: checkout, env, uid: NOBODY });
  terminals.push(terminal);
  await terminal.closingLines();
  assert.match(await fleetbanAt(own, "status"), /online/);
  await endsCleanly(terminal);
  const refused = typeCommand([...command, "--enforce"], { cwd: checkout, env, uid: NOBODY });
  assert.equal(await refused.end(), 1);
  assert.match(refused.stderr(), /--enforce: only root/);
});

/** A checkout of its own, without data; the installed packages, which nobody writes to, are the same files. */
async function copyCheckout(): Promise<void> {
  const isWanted = (name: string) => ![".git", "data", "coverage", "tools"].includes(name) && !name.startsWith("dist");
  await copyFolder(ROOT, checkout, isWanted);
  await copyFolder(join(ROOT, "tools"), join(checkout, "tools"), () => true);
}

async function copyFolder(from: string, to: string, isWanted: (name: string) => boolean): Promise<void> {
  await mkdir(to);
  for (const name of (await readdir(from)).filter(isWanted)) {
    const copy = (how: string) => run("cp", [how, join(from, name), to]);
    if (name === "node_modules")
      await copy("-al").catch(() => copy("-a")); // another file system takes no links
    else await copy("-a");
  }
}

/** Four ports in a row that nobody uses now, below those that the system gives to connections meanwhile. */
async function freePortBase(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS_FROM_TO);
    const wanted = [0, 1, 2, 3].map((offset) => ({ host: "127.0.0.1", port: port + offset, use: "a test" }));
    const isFree = await assertPortsFree(wanted).then(
      () => true,
      () => false,
    );
    if (isFree) return port;
  }
}

function start(): Terminal {
  return type("node", "tools/bootstrap.mjs", "start", "--data", data, "--port-base", String(base));
}

function type(...command: string[]): Terminal {
  const terminal = typeCommand(command, { cwd: checkout });
  terminals.push(terminal);
  return terminal;
}

/** npm ends by the same signal when its command has ended well, and says nothing. */
async function endsCleanly(terminal: Terminal): Promise<void> {
  terminal.pressCtrlC();
  await hasEndedCleanly(terminal);
}

async function hasEndedCleanly(terminal: Terminal): Promise<void> {
  const ending = await terminal.end();
  assert.ok(ending === 0 || ending === "SIGINT", terminal.stderr());
  assert.doesNotMatch(terminal.stderr(), /npm error/i);
}

async function shell(command: string): Promise<string> {
  const { INIT_CWD: _, FLEETBAN_SOCKET: __, ...env } = process.env;
  return (await run("sh", ["-c", command], { cwd: checkout, env })).stdout;
}

function fleetban(...args: string[]): Promise<string> {
  return fleetbanAt(data, ...args);
}

async function fleetbanAt(dataDir: string, ...args: string[]): Promise<string> {
  return (await run(join(checkout, "dist/bin/fleetban"), ["--socket", join(dataDir, "run/admin.sock"), ...args]))
    .stdout;
}

/** Of processes of this test's checkout or data, by a part of their command line. */
async function pidsOf(part: string): Promise<number[]> {
  const lines = await processesWith(part);
  return lines.filter((line) => line.includes(folder)).map((line) => Number(/\((\d+)\)$/.exec(line)?.[1]));
}

function end(pid: number): void {
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // ended by the test
  }
}
