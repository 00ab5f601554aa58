/**
 * Work that recurs: the same job functions on Redis (one replica of many runs each turn) or on a timer in the process.
 *
 * Either way a job runs at least once a turn, and perhaps twice: at two replicas, or again after a crash. What must not
 * happen twice, or must be remembered, is guarded by a row in Postgres; the schedule is only a wake-up.
 */

export interface Job {
  readonly name: string;
  /** From one turn to the next, about. */
  readonly everyMs: number;
  /** Ends soon after the signal; a rejection is logged and counted, the next turn comes anyway. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export type JobsWarnable = "redis-unreachable";

export interface Jobs {
  readonly kind: "redis" | "timer";
  /** At once and without waiting: the schedule is kept up from now on, whatever happens to Redis. */
  schedule(job: Job): void;
  /** Asks for a turn now; it runs soon, at this replica or another. */
  runNow(name: string): Promise<void>;
  /** Bad states that have lasted long enough to be told. */
  warnables(): readonly JobsWarnable[];
  /** Ends running jobs by their signal and waits for them. */
  close(): Promise<void>;
}

/** Outcome of one turn, for metrics. */
export type ObserveRun = (name: string, outcome: "done" | "failed", tookMs: number) => void;
