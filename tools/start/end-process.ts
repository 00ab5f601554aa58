/** Ends a process that is not our child: asks, waits, forces. */
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessName } from "./process-facts.ts";

const ASK_MS = 20_000;
const FORCE_MS = 5_000;
const LOOK_EVERY_MS = 50;

export async function endProcess(left: ProcessName): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", ASK_MS],
    ["SIGKILL", FORCE_MS],
  ] as const) {
    send(left, signal);
    const deadlineMs = performance.now() + waitMs;
    while (isAlive(left) && performance.now() < deadlineMs) await sleep(LOOK_EVERY_MS);
    if (!isAlive(left)) return;
  }
}

function send({ pid }: ProcessName, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it ended meanwhile
  }
}
