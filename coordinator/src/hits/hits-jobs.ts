/** What recurs in this room, for the jobs to run: each does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { type PruneParts, pruneListings } from "./prune.ts";
import { deleteOldHits } from "./queries.ts";

const HOUR_MS = 3_600_000;
/** Which prefixes were hit is looked at by the month; `listing_tries` remembers longer. */
const HIT_DAYS = 90;
/** Sums are few, and a year is worth comparing with the last. */
const TOTAL_DAYS = 400;

export function hitsJobs(parts: PruneParts): readonly Job[] {
  return [
    { name: "prune", everyMs: HOUR_MS, run: async (signal) => void (await pruneListings(parts, signal)) },
    { name: "forget-hits", everyMs: HOUR_MS, run: () => deleteOldHits(parts.store.sql, HIT_DAYS, TOTAL_DAYS) },
  ];
}
