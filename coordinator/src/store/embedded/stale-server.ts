/**
 * Clears the way for a new server: a Postgres that outlived its coordinator is shut down, a lock file whose process is
 * gone, or is something else by now, is removed. Postgres itself takes any living process of that number for its own.
 */
import { readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import type { Log } from "@fleetban/kit/log";
import { isPostgresOf } from "./process-facts.ts";

/** Fast, at once, by force: each with the time it is given. */
const STEPS = [
  { signal: "SIGINT", waitMs: 15_000 },
  { signal: "SIGQUIT", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;
const LOOK_EVERY_MS = 20;

export async function clearStaleServer(cluster: string, log: Log): Promise<void> {
  const path = join(cluster, "postmaster.pid");
  const pid = Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10);
  if (Number.isNaN(pid)) return;
  const folder = await realpath(cluster);
  if (await isPostgresOf(pid, folder)) {
    log.warn("store.stale_postgres_found", { pid });
    await stop(pid, folder);
  }
  await rm(path, { force: true });
}

async function stop(pid: number, cluster: string): Promise<void> {
  for (const { signal, waitMs } of STEPS) {
    sendSignal(pid, signal);
    const deadlineMs = systemClock.monotonicMs() + waitMs;
    while (systemClock.monotonicMs() < deadlineMs) {
      if (!(await isPostgresOf(pid, cluster))) return;
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile, which is what was wanted.
  }
}
