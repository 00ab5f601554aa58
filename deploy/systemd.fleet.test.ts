import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
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

for (const unit of ["agent", "boot", "boot-sets", "coordinator"].map((name) => `fleetban-${name}.service`)) {
  test(`systemd has nothing to say against ${unit}`, { skip }, async () => {
    assert.equal(await verify(unit), "");
  });
}

test("what systemd has to say is heard", { skip }, async () => {
  const path = join(root, "etc/systemd/system/fleetban-agent.service");
  await writeFile(path, (await readFile(path, "utf8")).replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"));
  assert.match(await verify("fleetban-agent.service"), /Unknown key .*'NoNewPrivilege'/);
});

test("sets come before whatever restores rules that may name them, rules behind it, and all before the network", {
  skip,
}, async () => {
  const sets = await orderOf("fleetban-boot-sets.service");
  const load = await orderOf("fleetban-boot.service");
  for (const unit of ["netfilter-persistent.service", "iptables.service", "ip6tables.service", "ufw.service"]) {
    assert.ok(sets.before.includes(unit), `sets before ${unit}`);
    assert.ok(load.after.includes(unit), `load after ${unit}`);
  }
  for (const unit of ["nftables.service", "firewalld.service", "fleetban-boot-sets.service"]) {
    assert.ok(load.after.includes(unit), `load after ${unit}`); // the first of them throws all rules away
  }
  for (const { before, text } of [sets, load]) {
    assert.ok(before.includes("network-pre.target"));
    assert.match(text, /^ExecStart=-/m); // a damaged list does not fail the boot
  }
});

test("systemd finds no cycle among the boot load and the firewalls of a Debian machine", { skip }, async () => {
  for (const [name, wantedBy] of [
    ["nftables", "sysinit.target"],
    ["netfilter-persistent", "multi-user.target"],
    ["ufw", "multi-user.target"],
  ] as const) {
    await writeFile(join(root, "etc/systemd/system", `${name}.service`), firewallUnit(wantedBy));
  }
  await writeFile(join(root, "etc/systemd/system/firewalld.service"), firewalldUnit);
  const wants = join(root, "etc/systemd/system/sysinit.target.wants");
  await mkdir(wants, { recursive: true });
  for (const name of ["fleetban-boot", "nftables", "netfilter-persistent", "ufw", "firewalld"]) {
    await symlink(`../${name}.service`, join(wants, `${name}.service`));
  }
  await putPrograms("ExecStart=/usr/sbin/firewall\n");
  assert.equal(await verify("multi-user.target"), "");
  const path = join(root, "etc/systemd/system/fleetban-boot.service");
  await writeFile(path, (await readFile(path, "utf8")).replace("After=fleetban", "After=network-pre.target fleetban"));
  assert.match(await verify("multi-user.target"), /cycle/);
});

/** As Debian's packages have them. */
function firewallUnit(wantedBy: string): string {
  return `[Unit]
DefaultDependencies=no
Wants=network-pre.target systemd-modules-load.service local-fs.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service local-fs.target
Conflicts=shutdown.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/firewall
[Install]
WantedBy=${wantedBy}
`;
}

const firewalldUnit = `[Unit]
Before=network-pre.target
Wants=network-pre.target
After=dbus.service
[Service]
ExecStart=/usr/sbin/firewall
`;

async function orderOf(unit: string) {
  const text = await readFile(join(UNITS, unit), "utf8");
  const all = (key: string) => Array.from(text.matchAll(new RegExp(`^${key}=(.*)$`, "gm")), ([, units = ""]) => units);
  return { text, before: all("Before").join(" ").split(" "), after: all("After").join(" ").split(" ") };
}

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
