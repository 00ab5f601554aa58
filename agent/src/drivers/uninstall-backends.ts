/** Takes what is ours out of the kernel, by each backend that this kernel has: whichever put it there. */
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { Backend } from "../firewall/backend.ts";
import { isAbsent } from "../firewall/former-backend.ts";
import { ENFORCING_BACKENDS, OPENERS } from "./backend-openers.ts";

const parts = { config: {}, clock: systemClock, log: silentLog };

/** Says what. All are tried before the first failure is told. */
export async function uninstallBackends(): Promise<readonly string[]> {
  const removed: string[] = [];
  const failures: unknown[] = [];
  for (const name of ENFORCING_BACKENDS) {
    try {
      removed.push(...(await uninstallOne(() => OPENERS[name](parts))));
    } catch (error) {
      if (!isAbsent(error)) failures.push(error);
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
