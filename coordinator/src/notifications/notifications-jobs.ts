/** What recurs in this room, for the jobs to run: each does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { deliverMessages } from "./deliver.ts";
import { findNews } from "./find-news.ts";
import { gatherMessages } from "./gather-messages.ts";
import type { NotificationsParts } from "./parts.ts";
import { forgetOldNews } from "./queries.ts";

const EVERY_MS = 15_000;
const HOUR_MS = 3_600_000;
const KEPT_DAYS = 90;

export function notificationsJobs(parts: NotificationsParts): readonly Job[] {
  return [
    { name: "notifications", everyMs: EVERY_MS, run: (signal) => notifyOnce(parts, signal) },
    { name: "forget-news", everyMs: HOUR_MS, run: () => forgetOldNews(parts.store.sql, KEPT_DAYS) },
  ];
}

export async function notifyOnce(parts: NotificationsParts, signal: AbortSignal): Promise<void> {
  await findNews(parts);
  await gatherMessages(parts);
  await deliverMessages(parts, signal);
}
