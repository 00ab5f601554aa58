/** What a health check or a scrape asks, bounded in time. */
import type { Clock } from "@fleetban/kit/clock";

/** Undefined when it fails or takes longer: to a health check both are the same. */
export async function withinMs<T>(clock: Clock, maxMs: number, work: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  const worked = work.catch(() => undefined);
  try {
    return await Promise.race([
      worked,
      clock.sleep(maxMs, late.signal).then(
        () => undefined,
        () => undefined,
      ),
    ]);
  } finally {
    late.abort();
  }
}
