/**
 * Jobs on a timer in the process, for an installation without Redis. Each job has a loop of its own and never two turns at
 * once; several replicas may each run one, which the jobs' leases in Postgres make harmless.
 */
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Job, Jobs, ObserveRun } from "./jobs.ts";
import { runJob } from "./run-job.ts";

export interface TimerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observe: ObserveRun;
}

/** So that replicas started together don't come together. */
const JITTER = 0.1;

export function createTimerJobs(parts: TimerParts): Jobs {
  const stopping = new AbortController();
  const wakes = new Map<string, () => void>();
  const loops: Promise<void>[] = [];

  async function turnForEver(job: Job): Promise<void> {
    for (;;) {
      const asked = Promise.withResolvers<void>();
      wakes.set(job.name, asked.resolve);
      await runJob(job, parts, stopping.signal);
      if (stopping.signal.aborted) return;
      await restUnless(asked.promise, job.everyMs * (1 + JITTER * parts.random.unit()));
      if (stopping.signal.aborted) return;
    }
  }

  async function restUnless(asked: Promise<void>, restMs: number): Promise<void> {
    const rest = new AbortController();
    const signal = AbortSignal.any([rest.signal, stopping.signal]);
    const slept = parts.clock.sleep(restMs, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
    await Promise.race([slept, asked]);
    rest.abort();
    await slept;
  }

  return {
    kind: "timer",
    schedule(job) {
      loops.push(turnForEver(job)); // owned by close()
    },
    async runNow(name) {
      const wake = wakes.get(name);
      if (wake === undefined) throw new FleetbanError("unknown-job", `job ${name}: not scheduled here`);
      wake();
    },
    warnables: () => [],
    async close() {
      stopping.abort(new Error("jobs are closing"));
      await Promise.all(loops);
    },
  };
}
