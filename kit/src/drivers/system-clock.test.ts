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

test("giving way costs no millisecond, and lets others run all the same", async () => {
  const turns = 200;
  let others = 0;
  const other = setInterval(() => (others += 1), 1);
  for (let turn = 0; turn < turns; turn += 1) await systemClock.sleep(0);
  const ticks = others; // a turn that waits for a timer lasts until the next one
  while (others === 0) await systemClock.sleep(0);
  clearInterval(other);
  assert.ok(ticks < turns / 2, `${ticks} ticks of a millisecond in ${turns} turns`);
  const stop = new AbortController();
  const sleeping = systemClock.sleep(0, stop.signal);
  stop.abort("stop");
  await assert.rejects(sleeping, (error) => error === "stop");
});
