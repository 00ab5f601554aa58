import assert from "node:assert/strict";
import { test } from "node:test";
import { piecesOf } from "./pieces.ts";

test("the pieces are full but the last, and together the list", () => {
  assert.deepEqual([...piecesOf([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
  assert.deepEqual(
    [...piecesOf([1, 2, 3, 4], 2)],
    [
      [1, 2],
      [3, 4],
    ],
  );
  assert.deepEqual([...piecesOf([1], 2)], [[1]]);
  assert.deepEqual([...piecesOf([], 2)], []);
});
