/**
 * Asks again while a set is in use: the kernel lets go of it a moment after the rule that named it is gone (nftables frees
 * rules in the background), or when another program has finished reading.
 */
import type { Clock } from "@fleetban/kit/clock";
import { BackendError } from "../backend-error.ts";

const PAUSE_MS = 20;
const ATTEMPTS = 100; // 2 s: a rule of somebody else's keeps its set for ever

export async function untilFree<Result>(
  clock: Pick<Clock, "sleep">,
  attempt: () => Result | Promise<Result>,
): Promise<Result> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts === ATTEMPTS || !(error instanceof BackendError) || error.code !== "set-in-use") throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}
