import assert from "node:assert/strict";
import { test } from "node:test";
import { checkProbeResult } from "./incoming.ts";

test("what an agent says of a probe is cut and free of control characters", () => {
  const result = { probeNo: 1, addedUs: 1, testedUs: 2, removedUs: 3, rulePresent: false, backend: "b".repeat(9_999) };
  const { error, backend, testedUs } = checkProbeResult({
    ...result,
    error: `no\u001b[2J\nrule\u202e${"x".repeat(99_999)}`,
  });
  assert.match(error, /^no \[2J rule x+$/);
  assert.deepEqual([error.length, backend.length, testedUs], [1_024, 64, 2]);
});
