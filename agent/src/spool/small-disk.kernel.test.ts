import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, "../../../test/support/spool-on-small-disk.main.ts");
// In a mount namespace of its own: the file system ends with the process, whatever becomes of it.
const ON_SMALL_DISK = 'mount -t tmpfs -o size=400k tmpfs "$1" && exec "$2" "$3" "$1"';

const skip = process.geteuid?.() === 0 ? false : "needs root";

test("a full disk refuses sightings without losing one, and takes them when there is room", { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "fb-small-"));
  try {
    const program = ["-c", ON_SMALL_DISK, "sh", folder, process.execPath, PROGRAM];
    const { stdout } = await run("unshare", ["-m", "sh", ...program]);
    const { promised, whenFull, afterwards } = JSON.parse(stdout);
    assert.ok(promised > 100, `${promised} sightings found room`);
    assert.equal(whenFull.code, "spool-unwritable");
    assert.match(whenFull.message, /ENOSPC.*make room on the disk/s);
    assert.deepEqual([whenFull.left, whenFull.position], [promised, String(promised - 1)]);
    assert.deepEqual(afterwards, { left: promised + 1, lost: 0, position: String(promised) });
  } finally {
    await rmdir(folder);
  }
});
