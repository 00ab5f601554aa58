/** What recurs in this room, for the jobs to run: it does no harm when it runs twice. */
import { forgetOldRuns } from "../jobs/job-runs.ts";
import type { Job } from "../jobs/jobs.ts";
import type { Store } from "../store/store.ts";
import { forgetOldProbes } from "./probe-queries.ts";

const HOUR_MS = 3_600_000;

export function historyJobs({ store }: { readonly store: Pick<Store, "sql"> }): readonly Job[] {
  return [
    {
      name: "forget-history",
      everyMs: HOUR_MS,
      async run() {
        await forgetOldRuns(store.sql);
        await forgetOldProbes(store.sql);
      },
    },
  ];
}
