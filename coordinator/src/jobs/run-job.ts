/** One turn of a job: timed, its failure logged and told, never thrown over the signal's own end. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Job, ObserveRun } from "./jobs.ts";

export interface RunParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly observe: ObserveRun;
}

/** False when the run failed; a run that ended because of the signal has not. */
export async function runJob(job: Job, { clock, log, observe }: RunParts, signal: AbortSignal): Promise<boolean> {
  const begunMs = clock.monotonicMs();
  try {
    await job.run(signal);
    observe(job.name, "done", clock.monotonicMs() - begunMs);
    return true;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return true;
    observe(job.name, "failed", clock.monotonicMs() - begunMs);
    log.warn("jobs.run_failed", { job: job.name, error });
    return false;
  }
}
