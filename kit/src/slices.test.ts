import assert from "node:assert/strict";
import { test } from "node:test";
import { finish, finishInTurns, type Slices } from "./slices.ts";
import { createTurns } from "./turns.ts";
import { createVirtualClock } from "./virtual-clock.ts";

function* sumTo(count: number, perSlice: () => void): Slices<number> {
  let sum = 0;
  for (let value = 1; value <= count; value += 1) {
    sum += value;
    perSlice();
    yield;
  }
  return sum;
}

test("slices give the same result at once and in turns", async () => {
  assert.equal(finish(sumTo(10, () => undefined)), 55);
  assert.equal(
    await finishInTurns(
      sumTo(10, () => undefined),
      undefined,
    ),
    55,
  );
});

test("whoever waits gets a turn when a slice has lasted long enough", async () => {
  const clock = createVirtualClock();
  let nowMs = 0;
  const turns = createTurns({ monotonicMs: () => nowMs, sleep: (durationMs) => clock.sleep(durationMs) });
  const seen: number[] = [];
  const summing = finishInTurns(
    sumTo(10, () => {
      nowMs += 4;
      clock.timer(0, () => seen.push(nowMs));
    }),
    turns,
  );
  await clock.run(0);
  assert.equal(await summing, 55);
  assert.deepEqual([...new Set(seen)], [12, 24, 36, 40]);
});
