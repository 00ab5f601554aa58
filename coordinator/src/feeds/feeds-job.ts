/** The feeds' turn as a job. It comes often and does nothing mostly: what is due stands in Postgres. */
import type { Job } from "../jobs/jobs.ts";
import type { FeedsParts } from "./parts.ts";
import { refreshFeeds } from "./refresh.ts";

const EVERY_MS = 60_000;

export function feedsJob(parts: FeedsParts): Job {
  return { name: "feeds", everyMs: EVERY_MS, run: (signal) => refreshFeeds(parts, signal) };
}
