import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ensureConfig, type WantedConfig } from "./config-file.ts";

let folder: string;
let wanted: WantedConfig;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-config-"));
  const keys = { first: { name: "here", "health.port": 7_744 }, always: { data_dir: "/data" } };
  wanted = { path: join(folder, "agent.yaml"), head: "# Yours to edit.\n", ...keys };
});
afterEach(async () => await rm(folder, { recursive: true }));

test("the first file has all keys, and is for its owner only", async () => {
  await ensureConfig(wanted);
  assert.equal(await text(), "# Yours to edit.\n\nname: here\nhealth.port: 7744\ndata_dir: /data\n");
  assert.equal((await stat(wanted.path)).mode & 0o777, 0o600);
});

test("what the operator wrote stays, comments too; only what must be is set", async () => {
  await writeFile(wanted.path, "# mine\nname: other # why\nhealth:\n  port: 5\ndata_dir: /old\n");
  const file = await ensureConfig({ ...wanted, always: { data_dir: "/moved", "health.port": 6 } });
  assert.equal(await text(), "# mine\nname: other # why\nhealth:\n  port: 6\ndata_dir: /moved\n");
  assert.equal(file.get("health.port"), 6);
  assert.equal(file.get("absent.key"), undefined);
});

test("a file that says it already is not written", async () => {
  const odd = "data_dir:    /data\nname: x\n";
  await writeFile(wanted.path, odd);
  await ensureConfig(wanted);
  assert.equal(await text(), odd);
});

test("what is no YAML map is named, with a remedy, and left alone", async () => {
  for (const bad of ["- a\n- b\n", "a: [1\n"]) {
    await writeFile(wanted.path, bad);
    await assert.rejects(ensureConfig(wanted), {
      code: "bad-config",
      message: /agent\.yaml: is no YAML map/,
      hint: /delete it/,
    });
    assert.equal(await text(), bad);
  }
});

async function text(): Promise<string> {
  return await readFile(wanted.path, "utf8");
}
