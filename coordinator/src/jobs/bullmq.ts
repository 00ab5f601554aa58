/**
 * Jobs on BullMQ over Redis: of many replicas one runs each turn.
 *
 * Redis is a hint, never the truth. It may be absent at the start, die, and come back empty: the connections retry for ever
 * in the background, and each time they are ready the schedules are written anew, which changes nothing where they stand.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Job, Jobs, ObserveRun } from "./jobs.ts";
import { runJob } from "./run-job.ts";

export interface BullParts {
  /** `redis://…`, `rediss://…` or the path of a socket. */
  readonly redisUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly observe: ObserveRun;
}

const PREFIX = "fleetban"; // begins every key, so that several products share a Redis
const QUEUE = "jobs";
const CONCURRENCY = 4;
const RETRY_MAX_MS = 2_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** A restart of Redis is no news. */
const UNREACHABLE_VISIBLE_AFTER_MS = 10_000;
/** Closing waits for running jobs; without Redis BullMQ would wait for ever. */
const PING_MAX_MS = 500;
const CLOSE_MAX_MS = 5_000;
const KEPT_RUNS = { removeOnComplete: { count: 50 }, removeOnFail: { count: 200 } };

export function startBullJobs(parts: BullParts): Jobs {
  const { clock, log } = parts;
  const jobs = new Map<string, Job>();
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const leaving = new AbortController();
  const connections = [connect(parts.redisUrl, leaving.signal), connect(parts.redisUrl, leaving.signal)] as const;
  const [forQueue, forWorker] = connections;
  let awaySinceMs: number | undefined = clock.monotonicMs();

  const queue = new Queue(QUEUE, { connection: forQueue, prefix: PREFIX });
  const worker = new Worker(QUEUE, ({ name }) => whileRunning(turn(name)), {
    connection: forWorker,
    prefix: PREFIX,
    concurrency: CONCURRENCY,
  });
  // Without a listener an error event would end the process; that Redis is away is told once, not at each attempt.
  queue.on("error", noteError);
  worker.on("error", noteError);
  for (const connection of connections) connection.on("error", noteError);
  forQueue.on("ready", () => {
    awaySinceMs = undefined;
    log.info("jobs.redis_connected");
    for (const job of jobs.values()) keepScheduled(job);
  });
  forQueue.on("close", () => {
    awaySinceMs ??= clock.monotonicMs();
  });

  /** Closing waits for it, though BullMQ may not. */
  async function whileRunning(work: Promise<void>): Promise<void> {
    running.add(work);
    await work.finally(() => running.delete(work));
  }

  async function turn(name: string): Promise<void> {
    const job = jobs.get(name);
    if (job === undefined) {
      log.warn("jobs.unknown_removed", { job: name }); // left by another version
      await queue.removeJobScheduler(name);
      return;
    }
    const done = await runJob(job, parts, stopping.signal);
    if (!done) throw new Error(`job ${name} failed, see the log`); // BullMQ's own record of it
  }

  function keepScheduled({ name, everyMs }: Job): void {
    queue.upsertJobScheduler(name, { every: everyMs }, { name, data: {}, opts: KEPT_RUNS }).catch(noteError);
  }

  /** Undefined when it fails or takes longer. */
  async function within<T>(maxMs: number, work: Promise<T>): Promise<T | undefined> {
    const late = new AbortController();
    const given = clock.sleep(maxMs, late.signal).catch(() => undefined);
    const result = await Promise.race([work.catch(noteError), given]);
    late.abort();
    return result ?? undefined;
  }

  function noteError(error: unknown): void {
    if (!stopping.signal.aborted) log.debug("jobs.redis_failed", { error });
  }

  return {
    kind: "redis",
    schedule(job) {
      jobs.set(job.name, job);
      if (forQueue.status === "ready") keepScheduled(job);
    },
    async runNow(name) {
      await queue.add(name, {}, { ...KEPT_RUNS, deduplication: { id: name } });
    },
    warnables() {
      const isAway = awaySinceMs !== undefined && clock.monotonicMs() - awaySinceMs > UNREACHABLE_VISIBLE_AFTER_MS;
      return isAway ? ["redis-unreachable"] : [];
    },
    async close() {
      stopping.abort(new Error("jobs are closing"));
      await Promise.allSettled(running);
      // While Redis is away BullMQ's polite farewell would wait for an answer for ever.
      const isThere = (await within(PING_MAX_MS, forQueue.ping())) !== undefined;
      const closed = Promise.all([worker.close(!isThere), queue.close()]);
      leaving.abort(); // not before: a worker that is not closing spins on a connection that has ended
      await within(CLOSE_MAX_MS, closed);
      for (const connection of connections) connection.disconnect();
    },
  };
}

/**
 * `maxRetriesPerRequest: null`: a command waits for Redis to come back instead of failing (BullMQ demands it). BullMQ makes
 * further connections of its own from these options; the signal ends their retries too.
 */
function connect(url: string, signal: AbortSignal): Redis {
  return new Redis(url, {
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => (signal.aborted ? null : Math.min(100 * attempt, RETRY_MAX_MS)),
  });
}
