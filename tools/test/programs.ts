/**
 * The programs that tests need from the system: where they are missing and we are root on Debian, installs them.
 *
 * Nothing of the machine is changed but that: while apt runs, a policy says that no service may be started, and the
 * services that came with the packages are disabled again.
 */
import { constants } from "node:fs";
import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { captureTool } from "../tool.ts";
import type { FileResult } from "./result.ts";

export interface Program {
  readonly program: string;
  readonly package: string;
  /** The unit that the package would enable. */
  readonly unit?: string;
}

export const KERNEL_PROGRAMS: readonly Program[] = [
  { program: "ipset", package: "ipset" },
  { program: "iptables", package: "iptables" },
  { program: "nft", package: "nftables" },
  { program: "ip", package: "iproute2" },
  { program: "conntrack", package: "conntrack" },
  { program: "modprobe", package: "kmod" },
  { program: "unshare", package: "util-linux" },
  { program: "xmllint", package: "libxml2-utils" },
];

export const FLEET_PROGRAMS: readonly Program[] = [
  ...KERNEL_PROGRAMS,
  { program: "fail2ban-server", package: "fail2ban", unit: "fail2ban.service" },
  { program: "sshd", package: "openssh-server", unit: "ssh.service" },
  { program: "ssh", package: "openssh-client" },
  { program: "sshpass", package: "sshpass" },
  { program: "redis-check-rdb", package: "redis-tools" },
  { program: "systemd-analyze", package: "systemd" },
  { program: "ping", package: "iputils-ping" },
  { program: "nc", package: "netcat-openbsd" },
  { program: "ufw", package: "ufw", unit: "ufw.service" },
  { program: "firewalld", package: "firewalld", unit: "firewalld.service" },
  { program: "dbus-daemon", package: "dbus" },
  {
    program: "crowdsec-firewall-bouncer",
    package: "crowdsec-firewall-bouncer",
    unit: "crowdsec-firewall-bouncer.service",
  },
];

const POLICY = "/usr/sbin/policy-rc.d";
const APT_ENV = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };

/** A failure is counted in CI only; elsewhere the tests that need a program say "needs …" and are skipped. */
export async function preparePrograms(programs: readonly Program[], isCi: boolean): Promise<FileResult> {
  let missing = await findMissing(programs);
  if (missing.length > 0 && process.getuid?.() === 0 && (await findProgram("apt-get"))) {
    console.error(`fleetban: installing what the tests need: ${packagesOf(missing)} …`);
    const output = await install(missing);
    missing = await findMissing(missing);
    if (missing.length > 0) console.error(output.trimEnd().split("\n").slice(-5).join("\n"));
  }
  const result = { name: "programs", passed: 0, failures: [], skipped: [], tookMs: 0 };
  if (missing.length === 0) return result;
  const text = `missing: ${packagesOf(missing)}; install: apt-get install ${packagesOf(missing)}`;
  if (isCi) return { ...result, failures: [{ test: "what the tests need is installed", text }] };
  console.error(`fleetban: ${text}`);
  return result;
}

async function install(missing: readonly Program[]): Promise<string> {
  const isPolicyOurs = await createPolicy();
  try {
    const packages = missing.map((program) => program.package);
    const args = ["install", "--yes", "--no-install-recommends", ...new Set(packages)];
    const first = await captureTool("apt-get", args, { env: APT_ENV });
    if (first.exit === 0) return first.output;
    await captureTool("apt-get", ["update"], { env: APT_ENV });
    return (await captureTool("apt-get", args, { env: APT_ENV })).output;
  } finally {
    if (isPolicyOurs) await rm(POLICY, { force: true });
    const units = missing.flatMap((program) => program.unit ?? []);
    if (units.length > 0 && (await findProgram("systemctl"))) await captureTool("systemctl", ["disable", ...units]);
  }
}

/** `false` when the machine has a policy already: that one is left alone. */
async function createPolicy(): Promise<boolean> {
  try {
    await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function findMissing(programs: readonly Program[]): Promise<Program[]> {
  const found = await Promise.all(programs.map((program) => findProgram(program.program)));
  return programs.filter((_, index) => !found[index]);
}

async function findProgram(name: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin"];
  const tries = folders.map((folder) => access(join(folder, name), constants.X_OK).then(() => true));
  return await Promise.any(tries).catch(() => false);
}

function packagesOf(programs: readonly Program[]): string {
  return [...new Set(programs.map((program) => program.package))].join(" ");
}
