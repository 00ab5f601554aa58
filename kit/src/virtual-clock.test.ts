import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVirtualClock } from "./virtual-clock.ts";

test("timers fire at their moments, in their order, however they were made", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20)), async (delaysMs) => {
      const clock = createVirtualClock(5_000);
      const fired: [number, number, number][] = [];
      for (const [index, delayMs] of delaysMs.entries()) {
        clock.timer(delayMs, () => fired.push([clock.monotonicMs(), index, clock.nowMs()]));
      }
      await clock.run(1_000);
      const wanted = delaysMs.map((delayMs, index) => [delayMs, index, 5_000 + delayMs] as const);
      assert.deepEqual(
        fired,
        wanted.toSorted((one, other) => one[0] - other[0] || one[1] - other[1]),
      );
      assert.equal(clock.monotonicMs(), 1_000);
    }),
    { numRuns: 30 },
  );
});

test("what a timer sets off settles before the next one fires", async () => {
  const clock = createVirtualClock();
  const seen: string[] = [];
  const worker = (async () => {
    await clock.sleep(10);
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    seen.push(`worked at ${clock.monotonicMs()}`);
    await clock.sleep(5);
    seen.push(`again at ${clock.monotonicMs()}`);
  })();
  clock.timer(11, () => seen.push(`timer at ${clock.monotonicMs()}`));
  await clock.run(14);
  assert.deepEqual(seen, ["worked at 10", "timer at 11"]);
  await clock.run(20);
  await worker;
  assert.deepEqual(seen.at(-1), "again at 15");
});

test("a sleep ends with the reason of its signal, and leaves nothing behind", async () => {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const reason = new Error("stop");
  const sleeping = assert.rejects(clock.sleep(100, stop.signal), (error) => error === reason);
  clock.timer(50, () => stop.abort(reason));
  await clock.run(60);
  await sleeping;
  await assert.rejects(clock.sleep(1, stop.signal), (error) => error === reason);
});

test("a cancelled timer does not fire", async () => {
  const clock = createVirtualClock();
  const timer = clock.timer(10, () => assert.fail("fired"));
  clock.timer(5, () => timer.cancel());
  await clock.run(20);
  timer.cancel();
});
