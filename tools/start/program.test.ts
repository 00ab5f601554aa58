import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { until } from "../../test/support/until.ts";
import { type RunningProgram, startProgram } from "./program.ts";
import { openProgramLog } from "./program-log.ts";

let folder: string;
let told: string[];
let pids: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-program-"));
  [told, pids] = [[], []];
});
afterEach(async () => await rm(folder, { recursive: true }));

test("one that ends before it was ready tells its own complaint", async () => {
  const program = run("echo noise; echo 'fleetban-agent: error: no such key' >&2; exit 3");
  await assert.rejects(program.ended, {
    code: "program-ended",
    message: /^the thing ended \(exit 3\): error: no such key$/,
  });
});

test("one that is kept is started anew when it dies, after a pause, and told of", async () => {
  const program = run("exec sleep 60");
  program.keepAlive();
  process.kill(await pidOf(0), "SIGKILL");
  const second = await pidOf(1);
  await program.stop();
  assert.match(told[0] ?? "", /^the thing ended \(SIGKILL\): it said nothing; starting it again in \d/);
  assert.throws(() => process.kill(second, 0), { code: "ESRCH" });
});

test("one that is stopped is asked, and not started again", async () => {
  const program = run("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
  program.keepAlive();
  await until("it is up", async () => (await log()).includes("up"));
  await program.stop();
  assert.equal(await log(), "up\nbye\n");
  assert.equal(pids.length, 1);
});

test("whoever inherits its output and outlives it is not waited for", async () => {
  const program = run("sleep 60 & echo $!; exit 1");
  const heir = await until("it says who", async () => /^(\d+)\n/.exec(await log())?.[1]);
  await assert.rejects(program.ended, { code: "program-ended" });
  process.kill(Number(heir), "SIGKILL");
});

test("a program that isn't there is an end, too", async () => {
  const spec = { name: "thing", file: join(folder, "nowhere"), args: [], log: openProgramLog(join(folder, "log")) };
  const program = startProgram(spec, { tell: () => undefined, onPid: () => undefined });
  await assert.rejects(program.ended, { code: "program-ended" });
});

test("a log that has grown is put aside once", async () => {
  const path = join(folder, "log");
  const grown = openProgramLog(path);
  for (let mebibytes = 0; mebibytes < 10; mebibytes += 1) grown.add("x".repeat(1 << 20));
  grown.add("\nnewest\n");
  assert.equal((await readFile(`${path}.1`)).length, 9 << 20);
  assert.ok((await readFile(path, "utf8")).endsWith("newest\n"));
  assert.equal(grown.lastWords(), "newest");
});

function run(script: string): RunningProgram {
  const spec = { name: "thing", file: "/bin/sh", args: ["-c", script], log: openProgramLog(join(folder, "log")) };
  const onPid = (_: string, pid: number | undefined) => void (pid !== undefined && pids.push(pid));
  return startProgram(spec, { tell: (text) => void told.push(text), onPid });
}

async function pidOf(life: number): Promise<number> {
  return Number(await until(`life ${life}`, () => pids[life]));
}

async function log(): Promise<string> {
  return await readFile(join(folder, "log"), "utf8").catch(() => "");
}
