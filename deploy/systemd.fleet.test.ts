import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";

const UNITS = join(import.meta.dirname, "systemd");
const SYSTEM_UNITS = "/usr/lib/systemd/system";
const skip = existsSync("/usr/bin/systemd-analyze") ? false : "needs systemd (apt-get install systemd)";

let root: string;

/** A server of its own, with the machine's targets, and programs that the units can be said to start. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "fleetban-units-"));
  if (skip !== false) return;
  await cp(SYSTEM_UNITS, join(root, SYSTEM_UNITS), { recursive: true, verbatimSymlinks: true });
  await cp(UNITS, join(root, "etc/systemd/system"), { recursive: true });
  for (const name of await readdir(UNITS)) await putPrograms(await readFile(join(UNITS, name), "utf8"));
});
afterEach(async () => await rm(root, { recursive: true }));

for (const unit of ["fleetban-agent.service", "fleetban-boot.service", "fleetban-coordinator.service"]) {
  test(`systemd has nothing to say against ${unit}`, { skip }, async () => {
    assert.equal(await verify(unit), "");
  });
}

test("what systemd has to say is heard", { skip }, async () => {
  const path = join(root, "etc/systemd/system/fleetban-agent.service");
  await writeFile(path, (await readFile(path, "utf8")).replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"));
  assert.match(await verify("fleetban-agent.service"), /Unknown key .*'NoNewPrivilege'/);
});

test("the boot load comes before the network, and before whatever restores a firewall", { skip }, async () => {
  const text = await readFile(join(UNITS, "fleetban-boot.service"), "utf8");
  const before = /^Before=(.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
  for (const unit of ["network-pre.target", "netfilter-persistent.service", "ufw.service"]) {
    assert.ok(before.includes(unit), unit);
  }
  assert.match(text, /^ExecStart=-/m); // a damaged list does not fail the boot
});

async function putPrograms(unit: string): Promise<void> {
  for (const [, path = ""] of unit.matchAll(/^ExecStart=-?(\/\S+)/gm)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), "#!/bin/sh\n");
    await chmod(join(root, path), 0o755);
  }
}

/** Everything it says; the pages that a unit names as its documentation are not part of this root. */
async function verify(unit: string): Promise<string> {
  const said = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", `--root=${root}`, unit]).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return said.stdout + said.stderr;
}
