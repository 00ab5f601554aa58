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
  if (durationMs <= 0) return startImmediate(run);
  const endsAtMs = performance.now() + durationMs;
  let handle: NodeJS.Timeout;
  function arm(leftMs: number): void {
    handle = setTimeout(leftMs > TIMEOUT_MAX_MS ? () => arm(endsAtMs - performance.now()) : run, stepMs(leftMs));
  }
  arm(durationMs);
  return { cancel: () => clearTimeout(handle) };
}

/** A timer takes a millisecond at least, which is a tenth of the slice that a long computation gives way after. */
function startImmediate(run: () => void): Timer {
  const handle = setImmediate(run);
  return { cancel: () => clearImmediate(handle) };
}

function stepMs(leftMs: number): number {
  return Math.max(0, Math.min(leftMs, TIMEOUT_MAX_MS));
}
