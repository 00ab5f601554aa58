/** How many sightings an agent may send: a token bucket each, so that a compromised one can't flood the lists. */
import type { Policy } from "../policy/policy.ts";

export interface Quotas {
  /** How many of that many are within the agent's quota now. */
  take(agentNo: number, wanted: number, monotonicMs: number): number;
}

interface Bucket {
  tokens: number;
  filledMs: number;
}

const MINUTE_MS = 60_000;

export function createQuotas(settings: () => Policy["quota"]): Quotas {
  const buckets = new Map<number, Bucket>();
  return {
    take(agentNo, wanted, monotonicMs) {
      const { burst, perMinute } = settings();
      const bucket = buckets.get(agentNo) ?? { tokens: burst, filledMs: monotonicMs };
      buckets.set(agentNo, bucket);
      const gained = ((monotonicMs - bucket.filledMs) * perMinute) / MINUTE_MS;
      bucket.tokens = Math.min(burst, bucket.tokens + gained);
      bucket.filledMs = monotonicMs;
      const granted = Math.min(wanted, Math.floor(bucket.tokens));
      bucket.tokens -= granted;
      return granted;
    },
  };
}
