/** A job whose runs are kept. That a run can't be written is no reason not to run: jobs outlive a database that is away. */
import type { Log } from "@fleetban/kit/log";
import type { Store } from "../store/store.ts";
import { endRun, insertRun, type RunOutcome } from "./job-runs.ts";
import type { Job } from "./jobs.ts";

export interface RecordParts {
  readonly store: Pick<Store, "sql">;
  readonly replica: string;
  readonly log: Log;
}

export function recorded(job: Job, parts: RecordParts): Job {
  const { store, replica } = parts;
  const { name } = job;
  return {
    ...job,
    async run(signal) {
      const runNo = await kept(parts, name, () => insertRun(store.sql, name, replica));
      const end = async (outcome: RunOutcome, errorCode?: string) => {
        if (runNo !== undefined) await kept(parts, name, () => endRun(store.sql, runNo, outcome, errorCode));
      };
      try {
        await job.run(signal);
      } catch (error) {
        const isStopped = signal.aborted && error === signal.reason;
        await (isStopped ? end("stopped") : end("failed", codeOf(error)));
        throw error;
      }
      await end("done");
    },
  };
}

async function kept<Result>(
  { log }: RecordParts,
  job: string,
  write: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await write();
  } catch (error) {
    log.debug("jobs.run_not_kept", { job, error });
    return undefined;
  }
}

/** A typed error's own, Postgres' or the system's. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
