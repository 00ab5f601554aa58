import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./system-clock.ts";

test("a sleep lasts as long as it says, and an abort ends it with its reason", async () => {
  const begunMs = systemClock.monotonicMs();
  await systemClock.sleep(5);
  assert.ok(systemClock.monotonicMs() - begunMs >= 4);
  const stop = new AbortController();
  const sleeping = systemClock.sleep(3_600_000, stop.signal);
  stop.abort("stop");
  await assert.rejects(sleeping, (error) => error === "stop");
});

test("a timer longer than the system's 24 days does not fire at once", async () => {
  let fired = false;
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  const timer = systemClock.timer(2 ** 31 + 1_000, () => {
    fired = true;
  });
  await systemClock.sleep(10);
  timer.cancel();
  process.off("warning", note);
  assert.equal(fired, false);
  assert.deepEqual(warnings, []);
});
