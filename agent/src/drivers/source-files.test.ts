import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { followFile } from "../sources/follow/follow.ts";
import { createLineFraming } from "../sources/log/line-framing.ts";
import { sourceFiles } from "./source-files.ts";

test("a file is followed whose folder is made later, renamed and made again", async () => {
  const root = await mkdtemp(join(tmpdir(), "fb-follow-"));
  const path = join(root, "later/it.log");
  const lines: string[] = [];
  let told = Promise.withResolvers<void>();
  const stopper = new AbortController();
  const followed = followFile(
    { files: sourceFiles, clock: systemClock, random: systemRandom, log: silentLog },
    {
      ...{ source: "it", path, begin: "start", positions: new Map(), framing: createLineFraming },
      rotated: () => sourceFiles.rotatedOf(path),
      async take(records) {
        lines.push(...records.map(({ record }) => record));
        told.resolve();
        told = Promise.withResolvers();
      },
      note: async () => undefined,
    },
    stopper.signal,
  );
  const write = async (text: string) => {
    const heard = told.promise;
    await appendFile(path, text);
    await heard;
  };
  try {
    await mkdir(join(root, "later"));
    await write("one\n");
    await rename(path, `${path}.1`);
    await write("two\n");
    await rename(join(root, "later"), join(root, "gone"));
    await mkdir(join(root, "later"));
    await write("three\n");
    await write("four\n");
    assert.deepEqual(lines, ["one", "two", "three", "four"]);
    assert.equal(sourceFiles.open(join(root, "absent")), undefined);
    assert.deepEqual(sourceFiles.rotatedOf(join(root, "gone/it.log")), [join(root, "gone/it.log.1")]);
  } finally {
    stopper.abort(new Error("over"));
    await assert.rejects(followed, /over/);
    await rm(root, { recursive: true });
  }
});

test("what is no file of its own under the name is refused, neither followed nor waited for", async () => {
  const root = await mkdtemp(join(tmpdir(), "fb-follow-"));
  try {
    await writeFile(join(root, "secret"), "root only\n");
    await symlink(join(root, "secret"), join(root, "handoff"));
    execFileSync("mkfifo", [join(root, "handoff.1")]);
    await writeFile(join(root, "handoff.2"), "");
    for (const name of ["handoff", "handoff.1"]) {
      assert.throws(() => sourceFiles.open(join(root, name)), { code: "source-not-a-file" }, name);
    }
    assert.throws(() => sourceFiles.open(root), { code: "source-not-a-file" });
    assert.notEqual(sourceFiles.inodeOf(join(root, "handoff")), sourceFiles.inodeOf(join(root, "secret")));
    assert.deepEqual(sourceFiles.rotatedOf(join(root, "handoff")), [join(root, "handoff.2")]);
    sourceFiles.open(join(root, "secret"))?.close();
  } finally {
    await rm(root, { recursive: true });
  }
});
