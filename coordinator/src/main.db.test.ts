import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../../test/support/until.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const CLI = join(import.meta.dirname, "../cli/src/main.ts");
const START_WITHIN_MS = 120_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

test("a coordinator starts in a folder with a blank, stops cleanly, and goes on where it was killed", async (t) => {
  const place = await newPlace(t);
  const first = await started(t, place);
  const banned = await fleetban(place, "ban", "8.8.8.8");
  assert.equal(banned.code, 0, banned.stderr);
  await until("it is ready", async () => {
    const ready = await fetch(`http://127.0.0.1:${place.ports[2]}/readyz`);
    return (await ready.text()) === "ready\n";
  });
  first.child.kill("SIGTERM");
  assert.equal((await first.ended).code, 0);
  assert.match(first.output(), /"event":"coordinator\.stopped"/);

  const second = await started(t, place);
  assert.match((await fleetban(place, "listings")).stdout, /fleet +8\.8\.8\.8/);
  second.child.kill("SIGKILL");
  await second.ended;

  await started(t, place); // over the socket file and the database that the kill left behind
  assert.match((await fleetban(place, "listings")).stdout, /fleet +8\.8\.8\.8/);
});

test("a port that is taken is named with its remedy, before anything is started", async (t) => {
  const place = await newPlace(t);
  const other = createServer().listen(place.ports[1], "127.0.0.1");
  t.after(() => other.close());
  const { code, stderr } = await run([MAIN, "--config", place.config]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^fleetban-coordinator: error: port 127.0.0.1:${place.ports[1]} \\(Enrollment\\): is taken`),
  );
  assert.match(stderr, /fleetban-coordinator: hint: .* or set listen\.enrollment_port to another port\n$/);
});

test("a second coordinator over the same socket is refused", async (t) => {
  const place = await newPlace(t);
  await started(t, place);
  const other = await newPlace(t, `admin_socket: ${place.socket}\n`);
  const { code, stderr } = await run([MAIN, "--config", other.config]);
  assert.equal(code, 1);
  assert.match(stderr, /admin\.sock: another coordinator is running/);
});

test("--check tells every mistake of the configuration, --version and --help answer, an unknown option is usage", async (t) => {
  const place = await newPlace(t, "log_level: loud\nfeeds: { abuseipdb: { confidence_minimum: 5 } }\n");
  const checked = await run([MAIN, "--config", place.config, "--check"]);
  assert.equal(checked.code, 2);
  assert.equal(checked.stderr.match(/fleetban-coordinator: error: .*c\.yaml:\d+: /g)?.length, 2);
  assert.match((await run([MAIN, "--version"])).stdout, /^fleetban-coordinator /);
  assert.match((await run([MAIN, "--help"])).stdout, /^Usage: fleetban-coordinator/);
  const unknown = await run([MAIN, "--confg", "x"]);
  assert.deepEqual(
    [unknown.code, unknown.stderr.split("\n")[1]],
    [2, "fleetban-coordinator: hint: see fleetban-coordinator --help"],
  );
  const absent = await run([MAIN, "--config", "/nowhere/c.yaml"]);
  assert.match(absent.stderr, /\/nowhere\/c\.yaml: cannot be read: there is no such file/);
});

interface Place {
  readonly config: string;
  readonly socket: string;
  readonly ports: readonly [number, number, number];
}

async function newPlace(t: TestContext, more = ""): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "fb run "));
  await mkdir(join(folder, "data"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const [config, socket] = [join(folder, "c.yaml"), join(folder, "admin.sock")];
  const lines = [
    `data_dir: ${join(folder, "data")}`,
    `listen: { host: 127.0.0.1, fleet_port: ${ports[0]}, enrollment_port: ${ports[1]} }`,
    `web: { port: ${ports[2]} }`,
    "advertise: { hosts: [127.0.0.1] }",
    more.includes("admin_socket") ? more : `admin_socket: ${socket}\n${more}`,
  ];
  await writeFile(config, lines.join("\n"));
  return { config, socket, ports };
}

async function started(t: TestContext, { config }: Place) {
  const child = spawn(process.execPath, [MAIN, "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = collect(child);
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const output = () => ended.text();
  await until(
    "the coordinator's start",
    () => output().includes('"event":"coordinator.started"') || child.exitCode !== null,
    START_WITHIN_MS,
  );
  assert.equal(child.exitCode, null, output());
  return { child, ended, output };
}

function fleetban({ socket }: Place, ...args: readonly string[]): Promise<Ended> {
  return run([CLI, "--socket", socket, ...args]);
}

function run(args: readonly string[]): Promise<Ended> {
  return collect(spawn(process.execPath, [...args], { stdio: ["ignore", "pipe", "pipe"] }));
}

function collect(child: ChildProcess): Promise<Ended> & { text(): string } {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout: stdout.join(""), stderr: stderr.join("") }));
  });
  return Object.assign(ended, { text: () => stdout.join("") + stderr.join("") });
}

const given = new Set<number>();

/** Below those that the system gives to connections meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
