import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createBell } from "./bell.ts";
import { createVirtualClock } from "./virtual-clock.ts";

test("a wait that nothing ends lasts its time", async () => {
  const { clock, wait } = start();
  const endedAtMs = wait();
  await clock.run(10_000);
  assert.equal(await endedAtMs, 1_000);
});

test("a ring ends every wait at once, and leaves no listener and no timer behind", async () => {
  const { clock, bell, wait, stop } = start();
  const ended = [wait(), wait()];
  clock.timer(300, bell.ring);
  await clock.run(300);
  assert.deepEqual(await Promise.all(ended), [300, 300]);
  assert.deepEqual(getEventListeners(stop.signal, "abort"), []);
});

test("a ring that was not heard ends the next wait before it begins, one that was heard does not", async () => {
  const { clock, bell, wait } = start();
  const heard = bell.rings;
  bell.ring();
  assert.equal(await wait(heard), 0);
  const endedAtMs = wait(bell.rings);
  await clock.run(1_000);
  assert.equal(await endedAtMs, 1_000);
});

test("an abort rejects with its reason, before the wait and during it", async () => {
  const { wait, stop } = start();
  const reason = new Error("enough");
  const waiting = wait();
  stop.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(wait(), reason);
  assert.deepEqual(getEventListeners(stop.signal, "abort"), []);
});

function start() {
  const clock = createVirtualClock();
  const bell = createBell(clock);
  const stop = new AbortController();
  const wait = (heard = bell.rings) => bell.wait(heard, 1_000, stop.signal).then(() => clock.monotonicMs());
  return { clock, bell, stop, wait };
}
