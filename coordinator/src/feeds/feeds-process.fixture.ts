/**
 * A coordinator with nothing but store, ledger, jobs and feeds, as a process that tests can kill: reads its places as JSON from
 * the command line, and prints a line when it is ready and one for each turn of the job.
 */
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createLog } from "@fleetban/kit/log";
import { readFeedFile } from "../drivers/feed-file.ts";
import { downloadOverHttp } from "../drivers/http-download.ts";
import { startBullJobs } from "../jobs/bullmq.ts";
import { createTimerJobs } from "../jobs/timer.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { openAt } from "../store/open-store.ts";
import { defaultGuardrails } from "./default-guardrails.fixture.ts";
import { defineFeeds } from "./define-feeds.ts";
import type { FeedDefinition } from "./feed.ts";
import { refreshFeed, refreshFeeds } from "./refresh.ts";

export interface Places {
  readonly socketFolder: string;
  readonly database: string;
  /** Absent = jobs on a timer. */
  readonly redisUrl?: string;
  readonly feed: FeedDefinition;
  /** Asks although it is not due, with the calls kept for that too: as often as it can. */
  readonly isPushy: boolean;
}

const TURN_EVERY_MS = 50;

const places = JSON.parse(process.argv[2] ?? "{}") as Places;
const log = createLog((line) => process.stderr.write(`${line}\n`), systemClock, "info");
const address = { kind: "socket", folder: places.socketFolder, database: places.database } as const;
const store = await openAt(address, "postgres", log);
const ledger = await openLedger({ store, clock: systemClock, random: systemRandom, log, policy: () => DEFAULT_POLICY });
void ledger.run(new AbortController().signal); // owned by the process, which ends by a kill
const parts = {
  store,
  ledger,
  download: downloadOverHttp,
  clock: systemClock,
  random: systemRandom,
  log,
  definitions: () => [places.feed],
  ...defaultGuardrails(store),
  readFile: readFeedFile,
  limits: { deadlineMs: 60_000, idleMs: 60_000 },
  programVersion: "0.1.0",
  runId: `process ${process.pid}`,
};
await defineFeeds(store, [places.feed]);
const observe = (_: string, outcome: string) => console.log(outcome);
const jobs =
  places.redisUrl === undefined
    ? createTimerJobs({ clock: systemClock, random: systemRandom, log, observe })
    : startBullJobs({ redisUrl: places.redisUrl, clock: systemClock, log, observe });
jobs.schedule({
  name: "feeds",
  everyMs: TURN_EVERY_MS,
  run: async (signal) => {
    await refreshFeeds(parts, signal);
    if (places.isPushy) await refreshFeed(parts, places.feed, true, signal);
  },
});
console.log("ready");
