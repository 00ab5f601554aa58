import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { createCoreUse } from "./core-use.ts";

const skip = !existsSync("/proc/thread-self/schedstat") && "needs a kernel that counts what a thread had of a core";

test("what is computed is counted, and never goes back", { skip }, () => {
  const coreUse = createCoreUse();
  const before = coreUse();
  const beganAtMs = performance.now();
  let sum = 0;
  while (performance.now() - beganAtMs < 30) sum += Math.sqrt(sum + 1);
  const after = coreUse();
  assert.ok(before !== undefined && after !== undefined);
  const [computedMs, waitedMs] = [after.computedMs - before.computedMs, after.waitedMs - before.waitedMs];
  assert.ok(computedMs > 0 && waitedMs >= 0);
  assert.ok(computedMs + waitedMs > 20, `${computedMs} ms and ${waitedMs} ms of ${performance.now() - beganAtMs} ms`);
});
