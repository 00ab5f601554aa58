/**
 * How fast sightings beyond an agent's quota are stored: they are no evidence, and would fill the disk.
 *
 * Kept by agent and not by stream, so that dialling anew is no way around it. Nothing is lost: what is not taken yet
 * stays in the agent's spool.
 */
import type { Clock } from "@fleetban/kit/clock";

export interface Pace {
  /** So many beyond the quota have been stored. */
  stored(agentNo: number, overQuota: number): void;
  /** Until the next may be stored; 0 for whoever keeps to the quota. */
  restMs(agentNo: number): number;
}

const OVER_QUOTA_A_MINUTE = 6_000;
const REST_MS = 60_000 / OVER_QUOTA_A_MINUTE;

export function createPace(clock: Clock): Pace {
  const restsUntilMs = new Map<number, number>();
  const restMs = (agentNo: number) => Math.max(0, (restsUntilMs.get(agentNo) ?? 0) - clock.monotonicMs());
  return {
    stored(agentNo, overQuota) {
      if (overQuota > 0) restsUntilMs.set(agentNo, clock.monotonicMs() + restMs(agentNo) + overQuota * REST_MS);
    },
    restMs,
  };
}
