/**
 * `fleetban-agent uninstall`: takes everything that is ours out of the kernel, and only that, whichever backend put it there;
 * and what the boot load would put back. Names what others have saved of ours, and leaves it: those files are theirs.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FleetbanError } from "@fleetban/kit/errors";
import type { AgentConfig } from "../config.ts";
import { agentHolding } from "../drivers/lock-data-dir.ts";
import { uninstallBackends } from "../drivers/uninstall-backends.ts";

const BOOT_FOLDER = "boot";
/** Where firewalls keep what they load at boot: a rule in them that names a missing set stops all of theirs. */
const SAVED_BY_OTHERS = [
  "/etc/iptables/rules.v4",
  "/etc/iptables/rules.v6",
  "/etc/iptables/ipsets",
  "/etc/sysconfig/iptables",
  "/etc/sysconfig/ip6tables",
  "/etc/sysconfig/ipset",
  "/etc/nftables.conf",
];

export async function uninstall({ data_dir }: AgentConfig): Promise<readonly string[]> {
  const pid = await agentHolding(data_dir);
  if (pid !== undefined) {
    throw new FleetbanError("agent-running", `the agent runs as process ${pid} and would put it back`, {
      hint: "stop it first: systemctl disable --now fleetban-agent fleetban-boot",
    });
  }
  const boot = removeBootFiles(join(data_dir, BOOT_FOLDER)); // first: a restart in between loads nothing
  const removed = await uninstallBackends();
  const kernel = removed.length === 0 ? ["nothing of fleetban is in the kernel"] : removed;
  return [...kernel, ...boot, ...SAVED_BY_OTHERS.flatMap(savedRemark)];
}

function removeBootFiles(folder: string): readonly string[] {
  const isThere = textOf(join(folder, "base")) !== "" || textOf(join(folder, "base.1")) !== "";
  rmSync(folder, { recursive: true, force: true });
  return isThere ? [`boot load ${folder}`] : [];
}

function savedRemark(path: string): readonly string[] {
  if (!textOf(path).includes("fleetban")) return [];
  return [
    `${path} names fleetban and was left: save that firewall's rules anew, or it will fail to load at the next boot`,
  ];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // absent, or not ours to read
  }
}
