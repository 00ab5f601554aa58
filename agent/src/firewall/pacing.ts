/**
 * How much is applied at once, and how long the pump rests: a slow machine stays usable (DESIGN §3).
 *
 * The batch size follows the measured time: under target it grows by a step, over target it halves. After a bulk batch
 * the pump rests, so that applying takes at most `cpuShare` of the time. Pure.
 */
import { type Milliseconds, ms } from "@fleetban/kit/clock";

export interface PaceLimits {
  readonly minEntries: number;
  readonly maxEntries: number;
  readonly stepEntries: number;
  readonly targetMs: Milliseconds;
  /** Part of wall time that applying may take, 0 < share ≤ 1. */
  readonly cpuShare: number;
}

/** 2,048 entries are some 3 ms by netlink on a fast machine; larger batches win nothing and cost memory. */
export const DEFAULT_PACE: PaceLimits = {
  minEntries: 64,
  maxEntries: 2_048,
  stepEntries: 128,
  targetMs: ms(20),
  cpuShare: 0.25,
};

/** Additive increase, multiplicative decrease. */
export function nextBatchEntries(entries: number, tookMs: Milliseconds, limits: PaceLimits): number {
  const wanted = tookMs > limits.targetMs ? Math.floor(entries / 2) : entries + limits.stepEntries;
  return Math.min(limits.maxEntries, Math.max(limits.minEntries, wanted));
}

export function restMs(tookMs: Milliseconds, { cpuShare }: PaceLimits): Milliseconds {
  return ms(tookMs / cpuShare - tookMs);
}
