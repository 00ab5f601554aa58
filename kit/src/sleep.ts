/** Sleeping, made of a timer: the same body for the system's clock and for the virtual one. */
import type { Clock } from "./clock.ts";

export function sleepBy(timer: Clock["timer"], durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const pending = timer(durationMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    function stop(): void {
      pending.cancel();
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}
