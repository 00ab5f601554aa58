/** Takes what is ours out of the kernel, by each backend that this kernel has: whichever put it there. */
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { Backend } from "../firewall/backend.ts";
import { BackendError, type BackendErrorCode } from "../firewall/backend-error.ts";
import { openBlackholeBackend } from "../firewall/blackhole/blackhole-backend.ts";
import { openIpsetBackend } from "../firewall/ipset/ipset-backend.ts";
import { openNftablesBackend } from "../firewall/nftables/nftables-backend.ts";
import { readLocalPorts } from "./local-ports.ts";
import { loadNetlink, loadRouteNetlink } from "./netlink.ts";
import { spawn } from "./spawn.ts";

const parts = { clock: systemClock, log: silentLog };
const OPENERS: readonly (() => Promise<Backend>)[] = [
  () => openIpsetBackend({ ...parts, loadNetlink, spawn }),
  () => openNftablesBackend({ ...parts, loadNetlink }),
  () =>
    openBlackholeBackend({ ...parts, openSocket: async () => (await loadRouteNetlink())(0), ownPorts: readLocalPorts }),
];

/** Not on this machine, so nothing of it is there either. */
const ABSENT: readonly BackendErrorCode[] = ["kernel-sets-missing", "iptables-missing", "nftables-missing"];

/** Says what. All are tried before the first failure is told. */
export async function uninstallBackends(): Promise<readonly string[]> {
  const removed: string[] = [];
  const failures: unknown[] = [];
  for (const open of OPENERS) {
    try {
      removed.push(...(await uninstallOne(open)));
    } catch (error) {
      if (!(error instanceof BackendError && ABSENT.includes(error.code))) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return removed;
}

async function uninstallOne(open: () => Promise<Backend>): Promise<readonly string[]> {
  const backend = await open();
  try {
    return await backend.uninstall();
  } finally {
    await backend.close();
  }
}
