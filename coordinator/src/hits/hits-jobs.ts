/** What recurs in this room, for the jobs to run: each does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { countOverlaps } from "./count-overlaps.ts";
import { deleteOldOverlaps } from "./overlap-queries.ts";
import { type PruneParts, pruneListings } from "./prune.ts";
import { deleteOldHits } from "./queries.ts";

const HOUR_MS = 3_600_000;
/** Between two lists of most feeds: what a feed named is compared before it goes again. */
const OVERLAPS_EVERY_MS = 600_000;
/** Which prefixes were hit is looked at by the month; `listing_tries` remembers longer. */
const HIT_DAYS = 90;
/** Sums are few, and a year is worth comparing with the last. */
const TOTAL_DAYS = 400;

export function hitsJobs(parts: PruneParts): readonly Job[] {
  return [
    { name: "prune", everyMs: HOUR_MS, run: async (signal) => void (await pruneListings(parts, signal)) },
    { name: "count-overlaps", everyMs: OVERLAPS_EVERY_MS, run: () => countOverlaps(parts.store) },
    {
      name: "forget-hits",
      everyMs: HOUR_MS,
      async run() {
        await deleteOldHits(parts.store.sql, HIT_DAYS, TOTAL_DAYS);
        await deleteOldOverlaps(parts.store.sql, TOTAL_DAYS);
      },
    },
  ];
}
