/**
 * Wakes a loop that sleeps between two looks.
 *
 * A ring while the loop looks is not missed: the loop says which ring it has heard. A wait leaves nothing behind. Racing
 * a sleep against a promise that stays pending would keep a little of every sleep for as long, and ending a sleep by
 * aborting it makes an error with its stack: 0.3 ms at each wake-up of a program that is mostly idle.
 */
import type { Clock } from "./clock.ts";

export interface Bell {
  /** How often it has rung. */
  readonly rings: number;
  ring(): void;
  /** Until it has rung oftener than `heard`, at most so long. Rejects with `signal.reason`. */
  wait(heard: number, maxMs: number, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Pick<Clock, "timer">): Bell {
  const waiting = new Set<() => void>();
  let rings = 0;
  return {
    get rings() {
      return rings;
    },
    ring() {
      rings += 1;
      for (const end of waiting) end();
    },
    wait(heard, maxMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (rings > heard) return resolve();
        const timer = clock.timer(maxMs, end);
        waiting.add(end);
        signal.addEventListener("abort", stop);
        function leave(): void {
          timer.cancel();
          waiting.delete(end);
          signal.removeEventListener("abort", stop);
        }
        function end(): void {
          leave();
          resolve();
        }
        function stop(): void {
          leave();
          reject(signal.reason);
        }
      });
    },
  };
}
