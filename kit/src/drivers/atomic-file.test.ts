import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeFileAtomic } from "./atomic-file.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-atomic-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a file is replaced whole, with its mode, and nothing else stays behind", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "identity.json");
    await writeFileAtomic(path, Buffer.from("first"), 0o600);
    await writeFileAtomic(path, Buffer.from("second"), 0o664);
    assert.equal(await readFile(path, "utf8"), "second");
    assert.equal((await stat(path)).mode & 0o777, 0o664); // whatever the umask;
    assert.deepEqual(await readdir(folder), ["identity.json"]);
  });
});

test("writes of one file at the same time leave one of them, whole", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "mirror");
    const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(50_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, Buffer.from(text), 0o600)));
    assert.ok(texts.includes(await readFile(path, "utf8")));
    assert.deepEqual(await readdir(folder), ["mirror"]);
  });
});

test("a write that fails leaves the old file and no temporary one", async () => {
  await inFolder(async (folder) => {
    await writeFileAtomic(join(folder, "a"), Buffer.from("old"), 0o600);
    await assert.rejects(writeFileAtomic(join(folder, "a", "b"), Buffer.from("new"), 0o600));
    await mkdir(join(folder, "taken"));
    await assert.rejects(writeFileAtomic(join(folder, "taken"), Buffer.from("new"), 0o600), {
      code: /EISDIR|ENOTEMPTY|EEXIST|EPERM/,
    });
    assert.equal(await readFile(join(folder, "a"), "utf8"), "old");
    assert.deepEqual((await readdir(folder)).sort(), ["a", "taken"]);
  });
});
