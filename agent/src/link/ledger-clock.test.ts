import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createLedgerClock } from "./ledger-clock.ts";

test("the ledger's answer is taken to be of the middle of the round trip", async () => {
  const clock = createVirtualClock(1_000_000);
  const ledger = createLedgerClock(clock);
  const sentMs = clock.nowMs();
  await clock.run(40);
  ledger.measured(sentMs, 5_000_000);
  assert.equal(ledger.nowMs(), 5_000_020);
  assert.equal(ledger.skewMs(), 1_000_040 - 5_000_020);
  await clock.run(1_040);
  assert.equal(ledger.nowMs(), 5_001_020);
});

test("before the first measure the skew of the last run holds", () => {
  assert.equal(createLedgerClock(createVirtualClock(10_000), 2_500).nowMs(), 7_500);
  assert.equal(createLedgerClock(createVirtualClock(10_000)).skewMs(), undefined);
});
