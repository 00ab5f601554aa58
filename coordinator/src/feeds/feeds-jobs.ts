/** What recurs in this room, for the jobs to run: each does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { deleteLongOff, deleteOldFetches } from "./fetch-history.ts";
import type { FeedsParts } from "./parts.ts";
import { refreshFeeds } from "./refresh.ts";

const LOOK_EVERY_MS = 60_000; // whether a feed is due
const DAY_MS = 86_400_000;
const FETCH_DAYS = 90;
/** A feed that comes back sooner is still known. */
const OFF_DAYS = 30;

export function feedsJobs(parts: FeedsParts): readonly Job[] {
  return [
    { name: "feeds", everyMs: LOOK_EVERY_MS, run: (signal) => refreshFeeds(parts, signal) },
    {
      name: "forget-fetches",
      everyMs: DAY_MS,
      async run() {
        await deleteOldFetches(parts.store.sql, FETCH_DAYS);
        await deleteLongOff(parts.store.sql, OFF_DAYS);
      },
    },
  ];
}
