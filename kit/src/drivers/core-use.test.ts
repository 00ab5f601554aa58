import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { createCoreUse } from "./core-use.ts";

const skip = !existsSync("/proc/thread-self/schedstat") && "needs a kernel that counts what a thread had of a core";

const ENOUGH_MS = 40; // the kernel counts a running thread at its ticks, of up to 10 ms

test("what is computed is counted, and never goes back", { skip }, () => {
  const coreUse = createCoreUse();
  const before = coreUse();
  const cpuBefore = process.threadCpuUsage();
  let cpuMs = 0;
  while (cpuMs < ENOUGH_MS) {
    const { user, system } = process.threadCpuUsage(cpuBefore);
    cpuMs = (user + system) / 1_000;
  }
  const after = coreUse();
  assert.ok(before !== undefined && after !== undefined);
  const [computedMs, waitedMs] = [after.computedMs - before.computedMs, after.waitedMs - before.waitedMs];
  assert.ok(waitedMs >= 0);
  assert.ok(computedMs > ENOUGH_MS / 2, `${computedMs} ms of ${cpuMs} ms`);
});
