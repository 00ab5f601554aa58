/** The machine's own clock. */
import type { Clock, Timer } from "../clock.ts";
import { sleepBy } from "../sleep.ts";

const TIMEOUT_MAX_MS = 2_147_483_647; // setTimeout fires at once beyond 2^31-1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (durationMs, signal) => sleepBy(startTimer, durationMs, signal),
  timer: startTimer,
};

function startTimer(durationMs: number, run: () => void): Timer {
  const endsAtMs = performance.now() + durationMs;
  let handle: NodeJS.Timeout;
  function arm(leftMs: number): void {
    handle = setTimeout(leftMs > TIMEOUT_MAX_MS ? () => arm(endsAtMs - performance.now()) : run, stepMs(leftMs));
  }
  arm(durationMs);
  return { cancel: () => clearTimeout(handle) };
}

function stepMs(leftMs: number): number {
  return Math.max(0, Math.min(leftMs, TIMEOUT_MAX_MS));
}
