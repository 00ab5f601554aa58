/** How long to wait before trying again: full jitter, so that many who failed together don't come back together. */
import { type Milliseconds, ms } from "./clock.ts";
import type { Random } from "./random.ts";

export interface BackoffBounds {
  readonly baseMs: number;
  readonly maxMs: number;
}

const DEFAULT_BOUNDS: BackoffBounds = { baseMs: 500, maxMs: 60_000 };

/** A draw from 0 to base × 2^attempt, at most `maxMs`. The first attempt is 0. */
export function backoffMs(attempt: number, random: Random, bounds: Partial<BackoffBounds> = {}): Milliseconds {
  const { baseMs, maxMs } = { ...DEFAULT_BOUNDS, ...bounds };
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 40)); // 2^40 is beyond any bound
  return ms(Math.round(random.unit() * ceilingMs));
}
