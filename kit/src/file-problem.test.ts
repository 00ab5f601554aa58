import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileProblem } from "./file-problem.ts";

test("a file's problem is said without the system's own words, others as they are", () => {
  assert.equal(fileProblem(thrown(() => readFileSync("/nowhere/file"))), "there is no such file");
  assert.equal(fileProblem(thrown(() => readFileSync("/"))), "is a folder");
  assert.equal(fileProblem(new Error("17 bytes; at most 3 are read")), "17 bytes; at most 3 are read");
  assert.equal(fileProblem("torn"), "torn");
});

function thrown(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
