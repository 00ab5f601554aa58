import assert from "node:assert/strict";
import { test } from "node:test";
import { createBoundedQueue } from "./bounded-queue.ts";

const { signal } = new AbortController();

test("a full queue refuses what comes, or drops its oldest, and says so", async () => {
  const refusing = createBoundedQueue<number>(2, "refuse");
  assert.deepEqual(
    [1, 2, 3].map((item) => refusing.push(item)),
    [true, true, false],
  );
  assert.deepEqual(await refusing.takeAll(signal), [1, 2]);
  const dropping = createBoundedQueue<number>(2, "dropOldest");
  assert.deepEqual(
    [1, 2, 3].map((item) => dropping.push(item)),
    [true, true, false],
  );
  assert.equal(dropping.size, 2);
  assert.deepEqual(await dropping.takeAll(signal), [2, 3]);
});

test("a producer waits for room, and order is kept", async () => {
  const queue = createBoundedQueue<number>(2, "wait");
  const produced = (async () => {
    for (let item = 0; item < 9; item += 1) {
      await queue.push(item, signal);
      assert.ok(queue.size <= 2);
    }
  })();
  const taken: number[] = [];
  while (taken.length < 9) taken.push(...(await queue.takeAll(signal)));
  await produced;
  assert.deepEqual(taken, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("many producers that wait never fill it above its bound", async () => {
  const queue = createBoundedQueue<number>(3, "wait");
  const producers = Array.from({ length: 20 }, (_, item) => queue.push(item, signal));
  const taken: number[] = [];
  while (taken.length < 20) {
    assert.ok(queue.size <= 3);
    taken.push(...(await queue.takeAll(signal)));
  }
  await Promise.all(producers);
  assert.deepEqual(
    taken.toSorted((one, other) => one - other),
    Array.from({ length: 20 }, (_, item) => item),
  );
});

test("whoever waits, to take or to push, leaves with the reason of its signal", async () => {
  const stop = new AbortController();
  const queue = createBoundedQueue<number>(1, "wait");
  const taking = assert.rejects(queue.takeAll(stop.signal), (error) => error === "stop");
  const full = createBoundedQueue<number>(1, "wait");
  await full.push(1, signal);
  const pushing = assert.rejects(full.push(2, stop.signal), (error) => error === "stop");
  stop.abort("stop");
  await Promise.all([taking, pushing]);
  assert.deepEqual(await full.takeAll(signal), [1]);
  await assert.rejects(full.takeAll(stop.signal), (error) => error === "stop");
});
