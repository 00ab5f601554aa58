import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { openAuthorityFiles } from "./authority-files.ts";

const parts = { clock: systemClock, random: systemRandom, log: silentLog };

test("the authority is made once, its key for its owner only, and found again", async (t) => {
  const folder = await newFolder(t);
  const made = await openAuthorityFiles(folder, parts);
  const found = await openAuthorityFiles(folder, parts);
  assert.equal(found.fingerprint, made.fingerprint);
  assert.equal((await stat(join(folder, "ca-key.pem"))).mode & 0o777, 0o600);
});

test("a key that others can read is refused with the command that closes it", async (t) => {
  const folder = await newFolder(t);
  await openAuthorityFiles(folder, parts);
  await chmod(join(folder, "ca-key.pem"), 0o640);
  await assert.rejects(openAuthorityFiles(folder, parts), ({ message, hint }: Error & { hint?: string }) => {
    assert.match(message, /ca-key\.pem: can be read by others/);
    assert.match(hint ?? "", /chmod 600 '.*ca-key\.pem'/);
    return true;
  });
});

test("a certificate without its key is never replaced by a new authority: agents would be lost", async (t) => {
  const folder = await newFolder(t);
  await openAuthorityFiles(folder, parts);
  await rm(join(folder, "ca-key.pem"));
  await assert.rejects(openAuthorityFiles(folder, parts), /ca-key\.pem: is missing, and .*ca\.pem is there/);
});

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fb-ca-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "ca");
}
