import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createStreamQuota, QUOTA_RETRY_MS, STREAMS_A_MINUTE, STREAMS_AT_ONCE } from "./stream-quota.ts";

const MINUTE_MS = 60_000;

test("a fleet of 1,000 agents comes back at once, and again: nobody waits for another", () => {
  const quota = createStreamQuota(createVirtualClock());
  for (let round = 0; round < 5; round += 1) {
    for (let agentNo = 1; agentNo <= 1_000; agentNo += 1) assert.equal(quota.begin(agentNo), undefined);
  }
});

test("an agent in a loop begins 20 streams, then 10 a minute, and is told when to come back", async () => {
  const clock = createVirtualClock();
  const quota = createStreamQuota(clock);
  const beginAll = () => Array.from({ length: 1_000 }, () => quota.begin(7)).filter((refused) => refused === undefined);
  assert.equal(beginAll().length, STREAMS_AT_ONCE);
  assert.equal(quota.begin(7)?.retryAfterMs, QUOTA_RETRY_MS);
  assert.equal(quota.begin(8), undefined);
  for (let minute = 0; minute < 5; minute += 1) {
    await clock.run(clock.monotonicMs() + MINUTE_MS);
    assert.equal(beginAll().length, STREAMS_A_MINUTE);
  }
  await clock.run(clock.monotonicMs() + 10 * MINUTE_MS);
  assert.equal(beginAll().length, STREAMS_AT_ONCE);
});

test("of a row of refusals only the first is news", async () => {
  const clock = createVirtualClock();
  const quota = createStreamQuota(clock);
  for (let count = 0; count < STREAMS_AT_ONCE; count += 1) quota.begin(7);
  assert.deepEqual([quota.begin(7)?.isFirst, quota.begin(7)?.isFirst], [true, false]);
  await clock.run(clock.monotonicMs() + MINUTE_MS);
  assert.equal(quota.begin(7), undefined);
});
