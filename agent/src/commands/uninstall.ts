/** `fleetban-agent uninstall`: takes everything that is ours out of the kernel, and only that. */
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { AgentConfig } from "../config.ts";
import { openBackend } from "../drivers/open-backend.ts";

export async function uninstall(config: AgentConfig): Promise<readonly string[]> {
  const backend = await openBackend(config, systemClock, silentLog);
  try {
    const removed = await backend.uninstall();
    return removed.length === 0 ? ["nothing of fleetban is in the kernel"] : removed;
  } finally {
    await backend.close();
  }
}
