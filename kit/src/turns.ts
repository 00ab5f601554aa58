/** Long loops in slices, so that urgent work gets its turn: `if (turns.isOver()) await turns.next()` a row or a few. */
import type { Clock } from "./clock.ts";

const SLICE_MS = 10;

export interface Turns {
  /** This slice has lasted long enough. */
  isOver(): boolean;
  /** Lets whatever waits run, and begins the next slice. */
  next(): Promise<void>;
}

export function createTurns(clock: Pick<Clock, "monotonicMs" | "sleep">): Turns {
  let begunMs = clock.monotonicMs();
  return {
    isOver: () => clock.monotonicMs() - begunMs >= SLICE_MS,
    async next() {
      await clock.sleep(0);
      begunMs = clock.monotonicMs();
    },
  };
}
