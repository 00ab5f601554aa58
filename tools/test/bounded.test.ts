import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachBounded } from "./bounded.ts";

test("every item is visited once, and never more at a time than allowed", async () => {
  const visited: number[] = [];
  let running = 0;
  let mostRunning = 0;
  await forEachBounded([1, 2, 3, 4, 5], 2, async (item) => {
    running += 1;
    mostRunning = Math.max(mostRunning, running);
    await Promise.resolve();
    visited.push(item);
    running -= 1;
  });
  assert.deepEqual(visited, [1, 2, 3, 4, 5]);
  assert.equal(mostRunning, 2);
});
