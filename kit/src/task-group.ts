/**
 * Long-lived loops as named tasks of one group: they end together.
 *
 * The first that fails aborts the others; all are awaited before the group ends, so nothing runs on unowned.
 */
import { FleetbanError } from "./errors.ts";

export type Task = (signal: AbortSignal) => Promise<unknown>;

interface Failure {
  readonly task: string;
  readonly cause: unknown;
}

/** Which task failed first, and what else failed while the group was stopping. `cause` is the first task's own error. */
export class TaskGroupError extends FleetbanError {
  readonly task: string;
  readonly others: readonly Failure[];

  constructor(first: Failure, others: readonly Failure[]) {
    const alsoFailed = others.map(({ task, cause }) => `; while stopping, task ${task}: ${textOf(cause)}`).join("");
    super("task-failed", `task ${first.task}: ${textOf(first.cause)}${alsoFailed}`, { cause: first.cause });
    this.task = first.task;
    this.others = others;
  }
}

/** Resolves when all tasks have. Rejects with `signal.reason` if it aborted, with TaskGroupError if a task failed. */
export async function runTasks(tasks: Readonly<Record<string, Task>>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const abort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const failures: Failure[] = [];
  async function run(task: string, body: Task): Promise<void> {
    try {
      await body(stop.signal);
    } catch (cause) {
      if (stop.signal.aborted && cause === stop.signal.reason) return; // stopped as told
      failures.push({ task, cause });
      stop.abort(new FleetbanError("task-group-stopped", `task ${task} failed and its group stops`, { cause }));
    }
  }
  try {
    await Promise.all(Object.entries(tasks).map(([task, body]) => run(task, body)));
  } finally {
    signal.removeEventListener("abort", abort);
  }
  const [first, ...others] = failures;
  if (first !== undefined) throw new TaskGroupError(first, others);
  signal.throwIfAborted();
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
