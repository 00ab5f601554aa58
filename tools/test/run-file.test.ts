import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tool.ts";
import type { FileResult } from "./result.ts";
import { runTestFile } from "./run-file.ts";

/** Long enough for a Node to start on a busy machine. */
const SHORT_MS = 6_000;
const HEAD =
  'import assert from "node:assert/strict"; import { test } from "node:test"; import { spawn } from "node:child_process";';

test("passed, failed and skipped tests are counted, subtests too", async () => {
  const result = await run(`
    test("fine", () => {});
    test("broken", () => assert.equal(1, 2));
    test("left out", { skip: "needs a moon" }, () => {});
    test("outer", async (t) => { await t.test("inner", () => {}); });`);
  assert.equal(result.passed, 3);
  assert.deepEqual(
    result.failures.map((failure) => failure.test),
    ["broken"],
  );
  assert.match(result.failures[0]?.text ?? "", /1 !== 2/);
  assert.deepEqual(
    result.skipped.map(({ test, reason }) => `${test}: ${reason}`),
    ["left out: needs a moon"],
  );
});

test("in CI a test that was skipped for want of something has failed", async () => {
  const result = await run('test("a", { skip: "needs ipset" }, () => {}); test("b", { skip: "later" }, () => {});', {
    isCi: true,
  });
  assert.deepEqual(
    result.failures.map((failure) => failure.test),
    ["a"],
  );
  assert.deepEqual(
    result.skipped.map((skip) => skip.test),
    ["b"],
  );
});

test("a handle that stays open is a failure", async () => {
  const result = await run('test("fine", () => { setInterval(() => {}, 1000); });', { timeoutMs: SHORT_MS });
  assert.match(result.failures[0]?.text ?? "", /timeout after 6 s; every test that began has ended; .*still open/);
});

test("a test that hangs is named", async () => {
  const result = await run('test("stuck", () => new Promise(() => { setInterval(() => {}, 1000); }));', {
    timeoutMs: SHORT_MS,
  });
  assert.match(result.failures[0]?.text ?? "", /not finished: stuck/);
});

test("an unhandled rejection is a failure", async () => {
  const result = await run('test("fine", () => { setTimeout(() => Promise.reject(new Error("late")), 20); });');
  assert.match(result.failures[0]?.text ?? "", /late/);
});

test("a process that outlives its file is ended, and a failure", async () => {
  const result = await run('test("fine", () => { spawn("sleep", ["60"], { stdio: "ignore" }).unref(); });');
  assert.match(result.failures[0]?.text ?? "", /left behind: sleep/);
});

test("a file that throws, and a file without tests, are failures", async () => {
  assert.match((await run('throw new Error("at load");')).failures[0]?.text ?? "", /at load/);
  assert.match((await run("")).failures[0]?.text ?? "", /no test in it/);
});

async function run(text: string, options: { isCi?: boolean; timeoutMs?: number } = {}): Promise<FileResult> {
  const folder = await mkdtemp(join(ROOT, "node_modules", "fleetban-run-file-"));
  try {
    const path = join(folder, "sample.ts.mjs");
    await writeFile(path, `${HEAD}\n${text}\n`);
    const { signal } = new AbortController();
    const settings = { timeoutMs: options.timeoutMs ?? 60_000, isCi: options.isCi ?? false, name: undefined, signal };
    return await runTestFile(relative(ROOT, path), settings);
  } finally {
    await rm(folder, { recursive: true });
  }
}
