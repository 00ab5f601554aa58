/** Long loops in slices, so that urgent work gets its turn: `if (turns.isOver()) await turns.next()` a row or a few. */
import type { Clock } from "./clock.ts";

const SLICE_MS = 10;

export interface Turns {
  /** This slice has lasted long enough. */
  isOver(): boolean;
  /** Lets whatever waits run, and begins the next slice. */
  next(): Promise<void>;
}

/** For work that can wait: on a machine that gives us little, it rests between two slices. */
export function createBackgroundTurns(clock: Pick<Clock, "monotonicMs" | "sleep" | "background">): Turns {
  const { background } = clock;
  if (background === undefined) return createTurns(clock);
  let begunMs = clock.monotonicMs();
  let piece = background.begin();
  return {
    isOver: () => clock.monotonicMs() - begunMs >= background.pieceMs,
    async next() {
      piece.end();
      await clock.sleep(background.restMs());
      begunMs = clock.monotonicMs();
      piece = background.begin();
    },
  };
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
