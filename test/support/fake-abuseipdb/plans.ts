/** What each plan of AbuseIPDB may call a UTC day, and how long a blacklist it gets. */

export type Endpoint = "check" | "reports" | "blacklist" | "report" | "check-block" | "bulk-report" | "clear-address";
export type PlanName = "free" | "webmaster" | "supporter" | "basic" | "premium";

export interface Plan {
  readonly callsPerDay: Readonly<Record<Endpoint, number>>;
  readonly blacklistMax: number;
  /** Without it, confidenceMinimum and countries are ignored without a word, and the list is the one at confidence 100. */
  readonly choosesConfidence: boolean;
  /** How long a blacklist once made is served again. */
  readonly cachedMs: number;
}

const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const ENDPOINTS = ["check", "reports", "blacklist", "report", "check-block", "bulk-report", "clear-address"] as const;

export const PLANS: Readonly<Record<PlanName, Plan>> = {
  free: plan([1_000, 100, 5, 1_000, 100, 5, 5], 10_000, false, DAY_MS),
  webmaster: plan([3_000, 500, 10, 3_000, 250, 10, 10], 10_000, false, DAY_MS),
  supporter: plan([5_000, 1_000, 20, 1_000, 500, 20, 20], 10_000, false, DAY_MS),
  basic: plan([10_000, 5_000, 100, 10_000, 1_000, 100, 100], 100_000, true, DAY_MS),
  premium: plan([50_000, 25_000, 500, 50_000, 5_000, 500, 500], 500_000, true, HOUR_MS),
};

function plan(calls: readonly number[], blacklistMax: number, choosesConfidence: boolean, cachedMs: number): Plan {
  const pairs = ENDPOINTS.map((endpoint, index) => [endpoint, calls[index] ?? 0] as const);
  const callsPerDay = Object.fromEntries(pairs) as Record<Endpoint, number>;
  return { callsPerDay, blacklistMax, choosesConfidence, cachedMs };
}
