/**
 * Hears a channel's notifications for as long as the signal lets it, over a connection of its own.
 *
 * Not `sql.listen`: it listens anew once after a lost connection, and never again when that one time fails.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import type { ConnectWith } from "./life.ts";

const CLOSE_TIMEOUT_SECONDS = 1;

export async function listen(
  connectWith: ConnectWith,
  channel: string,
  heard: (payload: string | undefined) => void,
  signal: AbortSignal,
): Promise<never> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    const closed = Promise.withResolvers<void>();
    const client = connectWith({ max: 1, onClosed: closed.resolve, onNotified: heard });
    const stop = () => closed.resolve();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.unsafe(`listen "${channel}"`);
      attempt = 0;
      heard(undefined); // whatever was said before this moment was missed
      await closed.promise;
    } catch {
      // Postgres is away; what is not heard is found by the poll.
    } finally {
      signal.removeEventListener("abort", stop);
      await client.end({ timeout: CLOSE_TIMEOUT_SECONDS });
    }
    await systemClock.sleep(backoffMs(attempt, systemRandom, { baseMs: 50, maxMs: 2_000 }), signal);
  }
}
