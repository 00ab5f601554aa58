/**
 * A clock for tests: time stands still until `run` moves it, then each timer fires at exactly its moment.
 *
 * Between two timers everything that was set off settles first (promises, ticks, immediates), so that code under
 * test sees the same order on every machine. Timers of one moment fire in the order in which they were made.
 */
import type { Clock, Timer } from "./clock.ts";
import { sleepBy } from "./sleep.ts";

export interface VirtualClock extends Clock {
  /** Moves to that moment (of `monotonicMs`) and fires whatever is due on the way. */
  run(toMonotonicMs: number): Promise<void>;
}

interface Pending {
  readonly atMs: number;
  readonly run: () => void;
}

export function createVirtualClock(startMs = 0): VirtualClock {
  const pending: Pending[] = []; // sorted by atMs; of one moment, the oldest first
  let elapsedMs = 0;

  function timer(durationMs: number, run: () => void): Timer {
    const entry: Pending = { atMs: elapsedMs + Math.max(0, durationMs), run };
    pending.splice(placeOf(pending, entry.atMs), 0, entry);
    return { cancel: () => removeFrom(pending, entry) };
  }

  async function run(toMonotonicMs: number): Promise<void> {
    await settle();
    for (let next = pending[0]; next !== undefined && next.atMs <= toMonotonicMs; next = pending[0]) {
      pending.shift();
      elapsedMs = Math.max(elapsedMs, next.atMs);
      next.run();
      await settle();
    }
    elapsedMs = Math.max(elapsedMs, toMonotonicMs);
  }

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleep: (durationMs, signal) => sleepBy(timer, durationMs, signal),
    timer,
    run,
  };
}

/** An immediate runs after all ticks and promises that are ready, however long their chains. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function placeOf(pending: readonly Pending[], atMs: number): number {
  let low = 0;
  let high = pending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = pending[middle];
    if (entry !== undefined && entry.atMs <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function removeFrom(pending: Pending[], entry: Pending): void {
  const index = pending.indexOf(entry);
  if (index >= 0) pending.splice(index, 1);
}
