import assert from "node:assert/strict";
import { test } from "node:test";
import { FleetbanError } from "./errors.ts";
import { runTasks, TaskGroupError } from "./task-group.ts";
import { createVirtualClock } from "./virtual-clock.ts";

test("the first task that fails stops the others, and all are awaited", async () => {
  const clock = createVirtualClock();
  const ended: string[] = [];
  const cause = new FleetbanError("no-disk", "disk is gone");
  const group = runTasks(
    {
      link: async (signal) => {
        await clock.sleep(60_000, signal).catch(() => undefined);
        ended.push("link");
      },
      spool: async (signal) => {
        await clock.sleep(10, signal);
        throw cause;
      },
    },
    new AbortController().signal,
  );
  const failure = assert.rejects(group, (error) => {
    assert.ok(error instanceof TaskGroupError);
    assert.deepEqual([error.code, error.task, error.cause, error.others], ["task-failed", "spool", cause, []]);
    assert.equal(error.message, "task spool: disk is gone");
    return true;
  });
  await clock.run(20);
  await failure;
  assert.deepEqual(ended, ["link"]);
});

test("what fails while stopping is told too, being stopped is not a failure", async () => {
  const stopAtOnce = (signal: AbortSignal) => createVirtualClock().sleep(1, signal);
  const failLate = async (signal: AbortSignal) => {
    await stopAtOnce(signal).catch(() => undefined);
    throw new Error("could not close");
  };
  const failNow = () => Promise.reject(new Error("broken"));
  await assert.rejects(runTasks({ failLate, stopAtOnce, failNow }, new AbortController().signal), (error) => {
    assert.ok(error instanceof TaskGroupError);
    assert.equal(error.message, "task failNow: broken; while stopping, task failLate: could not close");
    return true;
  });
});

test("an abort from outside stops all tasks and rejects with its reason", async () => {
  const stop = new AbortController();
  const clock = createVirtualClock();
  const group = runTasks(
    { a: (signal) => clock.sleep(1_000, signal), b: (signal) => clock.sleep(2_000, signal) },
    stop.signal,
  );
  const reason = new Error("told to stop");
  stop.abort(reason);
  await assert.rejects(group, (error) => error === reason);
  await assert.rejects(runTasks({ never: () => Promise.resolve() }, stop.signal), (error) => error === reason);
});

test("a group whose tasks all end has ended", async () => {
  await runTasks({ a: () => Promise.resolve(1), b: () => Promise.resolve(2) }, new AbortController().signal);
});
