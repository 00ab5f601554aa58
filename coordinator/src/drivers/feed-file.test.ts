import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readFeedFile } from "./feed-file.ts";

test("a file is read whole, within its bound; what is no file is refused at once", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fb-feed-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "list.txt");
  await writeFile(path, "45.1.1.1\n");
  assert.equal(Buffer.from((await readFeedFile(path, 9)).bytes).toString(), "45.1.1.1\n");
  await assert.rejects(readFeedFile(path, 8), { code: "download-too-large" });
  const pipe = join(folder, "pipe"); // whoever opens it to read waits for a writer, and holds a thread of the process
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  for (const other of [folder, pipe, "/dev/zero"]) {
    await assert.rejects(readFeedFile(other, 64), { code: "download-failed", message: /is no file/ });
  }
  // It tells no size, and has more than it tells.
  await assert.rejects(readFeedFile("/proc/self/status", 64), { code: "download-too-large" });
});
