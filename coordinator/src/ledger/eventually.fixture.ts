/** Waiting for a claim to become true, for tests over a real Postgres that may be away meanwhile. */
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { isPassing } from "../store/store-error.ts";

const DEADLINE_MS = 60_000;

export async function eventually<T>(claim: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + DEADLINE_MS;
  for (;;) {
    const answer = await ask().catch((error: unknown) => {
      if (!isPassing(error)) throw error;
      return undefined;
    });
    if (answer !== undefined && answer !== false) return answer;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`not within ${DEADLINE_MS} ms: ${claim}`);
    await systemClock.sleep(2);
  }
}
