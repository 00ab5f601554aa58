import assert from "node:assert/strict";
import { mkdtemp, readlink, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { makeLayout } from "./layout.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-layout-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

test("sockets lie in the data folder", async () => {
  const { adminSocket } = await makeLayout(join(folder, "data"));
  assert.equal(adminSocket, join(folder, "data/run/admin.sock"));
});

test("deep in the tree they lie where the path is short, found by a link, the same at every start", async () => {
  const dataDir = join(folder, "d".repeat(60), "e".repeat(60));
  const { adminSocket, tidy } = await makeLayout(dataDir);
  try {
    assert.ok(Buffer.byteLength(adminSocket) <= 107, adminSocket);
    assert.equal(await readlink(join(dataDir, "run")), dirname(adminSocket));
    assert.equal((await makeLayout(dataDir)).adminSocket, adminSocket);
    assert.equal(await realpath(join(dataDir, "run")), await realpath(dirname(adminSocket)));
  } finally {
    await tidy();
  }
  await assert.rejects(stat(dirname(adminSocket)), { code: "ENOENT" });
});

test("a folder that can't be written is named, with a remedy", async () => {
  await assert.rejects(makeLayout("/dev/null/data"), {
    code: "data-unwritable",
    message: "/dev/null/data: can't be written (ENOTDIR)",
    hint: /--data DIR/,
  });
});
