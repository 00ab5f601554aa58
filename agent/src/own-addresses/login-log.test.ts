import assert from "node:assert/strict";
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sourceFiles } from "../drivers/source-files.ts";
import { followLoginLog } from "./login-log.ts";

test("each whole line is read once, through rotation and truncation", async (t) => {
  const path = join(await folder(t), "auth.log");
  const log = followLoginLog(sourceFiles, [path, "/nonexistent"]);
  assert.equal(log.read(), "");
  await writeFile(path, "one\ntwo\nthr");
  assert.equal(log.read(), "one\ntwo\n");
  assert.equal(log.read(), "");
  await appendFile(path, "ee\n");
  assert.equal(log.read(), "three\n");
  await rename(path, `${path}.1`);
  assert.equal(log.read(), "");
  await writeFile(path, "four\n");
  assert.equal(log.read(), "four\n");
  await truncate(path, 0);
  assert.equal(log.read(), "");
  await appendFile(path, "five\n");
  assert.equal(log.read(), "five\n");
});

test("of a large log the end is read, and of a flood so much a look", async (t) => {
  const path = join(await folder(t), "auth.log");
  const line = `${"x".repeat(1_023)}\n`;
  await writeFile(path, line.repeat(5_000));
  const log = followLoginLog(sourceFiles, [path]);
  assert.equal(log.read().length, 4_194_304);
  await appendFile(path, line.repeat(2_000));
  assert.equal(log.read().length, 1_048_576);
  assert.equal(log.read().length, 2_000 * 1_024 - 1_048_576);
  assert.equal(log.read(), "");
});

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "fb-logins-"));
  t.after(() => rm(made, { recursive: true }));
  return made;
}
