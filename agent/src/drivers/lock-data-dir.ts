/**
 * One agent a data directory: two would write one mirror and one spool, and each would repair the kernel after the other.
 *
 * Taken before anything is touched, and held until the process ends; what a killed agent left holds nobody up.
 */
import { join } from "node:path";
import { holderOfLock, lockFile } from "@fleetban/kit/drivers/lock-file";
import { FleetbanError } from "@fleetban/kit/errors";

const FILE = "agent.lock";

/** Rejects with FleetbanError `data-dir-in-use`. The directory must be there. */
export async function lockDataDir(dataDir: string): Promise<{ release(): Promise<void> }> {
  const lock = await lockFile(join(dataDir, FILE));
  if (lock.kind === "locked") return lock;
  throw new FleetbanError("data-dir-in-use", `data_dir ${dataDir}: is in use by the agent with pid ${lock.pid}`, {
    hint: "stop that agent first, or give this one a data_dir of its own",
  });
}

/** The process id of the agent that runs on it. */
export async function agentHolding(dataDir: string): Promise<number | undefined> {
  return await holderOfLock(join(dataDir, FILE));
}
