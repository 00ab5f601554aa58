import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lockFile } from "./lock-file.ts";

const MODULE = join(import.meta.dirname, "lock-file.ts");

test("one process holds it, the next is told which, and after its release the file is free", async (t) => {
  const path = await pathIn(t);
  const lock = await lockFile(path);
  assert.equal(lock.kind, "locked");
  assert.deepEqual(await lockFile(path), { kind: "held", pid: process.pid });
  if (lock.kind === "locked") await lock.release();
  assert.equal((await lockFile(path)).kind, "locked");
});

test("what a killed process held is free at once", async (t) => {
  const path = await pathIn(t);
  const holder = await startHolder(t, path);
  assert.deepEqual(await lockFile(path), { kind: "held", pid: holder.pid });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  assert.equal((await lockFile(path)).kind, "locked");
});

test("a number that another process has now, another boot and a damaged file hold nobody up", async (t) => {
  const path = await pathIn(t);
  const bootId = "00000000-0000-0000-0000-000000000000";
  for (const text of [`${process.pid} 1 ${bootId}\n`, `${process.pid} 1\n`, "", "nonsense", "99999999 1 x\n"]) {
    await writeFile(path, text);
    const lock = await lockFile(path);
    assert.equal(lock.kind, "locked", text);
    if (lock.kind === "locked") await lock.release();
  }
});

test("of many that find the same stale file one gets it, in one process and among several", async (t) => {
  const path = await pathIn(t);
  for (let round = 0; round < 20; round += 1) {
    await writeFile(path, "stale");
    const locks = await Promise.all(Array.from({ length: 8 }, () => lockFile(path)));
    assert.equal(locks.filter(({ kind }) => kind === "locked").length, 1);
    assert.deepEqual(await readdir(join(path, "..")), ["held.lock"]);
    for (const lock of locks) if (lock.kind === "locked") await lock.release();
  }
  await writeFile(path, "stale");
  const said = await Promise.all(Array.from({ length: 4 }, () => sayOf(t, path)));
  assert.deepEqual(said.toSorted(), ["held", "held", "held", "locked"]);
});

async function pathIn(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fb-lock-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "held.lock");
}

async function startHolder(t: TestContext, path: string): Promise<ChildProcess> {
  const { child, said } = await startContender(t, path);
  assert.equal(said, "locked");
  return child;
}

async function sayOf(t: TestContext, path: string): Promise<string> {
  return (await startContender(t, path)).said;
}

/** Tries for the lock, says what it got, and lives until the test ends. */
async function startContender(t: TestContext, path: string): Promise<{ child: ChildProcess; said: string }> {
  const program = `const { lockFile } = await import(${JSON.stringify(MODULE)});
    console.log((await lockFile(${JSON.stringify(path)})).kind);
    setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [said] = await once(child.stdout, "data");
  return { child, said: String(said).trim() };
}
