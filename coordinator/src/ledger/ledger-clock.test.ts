import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { LedgerClock } from "./ledger-clock.ts";

const HOUR_MS = 3_600_000;

test("the clock follows the quickest of the last answers", async () => {
  const { clock, ledgerClock } = started();
  ledgerClock.sample(1_000_000 + 400, 0, 1_000); // the answer waited somewhere
  assert.equal(ledgerClock.nowMs(), 1_000_000 + 5);
  await clock.run(100);
  assert.equal(ledgerClock.nowMs(), 1_000_000 + 105);
});

test("a jump is held: time goes on as it did, until the clock comes back", async () => {
  const { clock, ledgerClock } = started();
  await clock.run(1_000);
  assert.equal(ledgerClock.sample(1_000_000 + 1_000 + HOUR_MS, 1_000, 1_000), "held");
  assert.deepEqual([ledgerClock.isHeld, ledgerClock.nowMs()], [true, 1_001_005]);
  await clock.run(2_000);
  assert.equal(ledgerClock.sample(1_000_000 + 2_000, 2_000, 2_000), "released");
  assert.equal(ledgerClock.isHeld, false);
});

test("a jumped clock is believed when an operator says so, or after an hour", async () => {
  for (const way of ["operator", "hour"]) {
    const { clock, ledgerClock } = started();
    ledgerClock.sample(1_000_000 - HOUR_MS, 0, 0);
    if (way === "operator") ledgerClock.release();
    else await clock.run(HOUR_MS + 1);
    const nowMs = clock.monotonicMs();
    ledgerClock.sample(1_000_000 - HOUR_MS + nowMs, nowMs, nowMs);
    assert.deepEqual([ledgerClock.isHeld, ledgerClock.nowMs()], [false, 1_000_000 - HOUR_MS + nowMs], way);
  }
});

/** The ledger's clock is at 1,000,005 ms when monotonic time begins; that answer took 10 ms. */
function started() {
  const clock = createVirtualClock();
  const ledgerClock = new LedgerClock(clock);
  ledgerClock.sample(1_000_010, 0, 10);
  return { clock, ledgerClock };
}
