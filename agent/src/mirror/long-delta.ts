/** Which deltas may take their time: the one question that link, mirror and firewall ask alike (keeps invariant 7). */
import type { Clock } from "@fleetban/kit/clock";
import { createBackgroundTurns, createTurns, type Turns } from "@fleetban/kit/turns";

const LONG_CHANGES = 512;

/** Nobody waits for a delta with more changes: it can't be a fresh ban. */
export function isLongDelta(changes: number): boolean {
  return changes > LONG_CHANGES;
}

export function turnsForDelta(clock: Pick<Clock, "monotonicMs" | "sleep" | "background">, changes: number): Turns {
  return isLongDelta(changes) ? createBackgroundTurns(clock) : createTurns(clock);
}
