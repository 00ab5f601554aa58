import assert from "node:assert/strict";
import { test } from "node:test";
import { unixMs } from "@fleetban/proto/model/time";
import { bulkEveryMs, callsLeft, dayFrom, pauseAfter, type QuotaTold } from "./budget.ts";

const NOON = unixMs(Date.UTC(2026, 10, 21, 12));
const HOUR_MS = 3600_000;
const UNTOLD: QuotaTold = {
  callsADay: undefined,
  remaining: undefined,
  toldAt: undefined,
  blockedUntil: undefined,
  failures: 0,
};
const SHARE = { share: 0.8, now: NOON };

test("until a header says otherwise it is the free plan, and the policy's share of it", () => {
  assert.equal(callsLeft("report", UNTOLD, { made: 0, ...SHARE }), 800);
  assert.equal(callsLeft("bulk-report", UNTOLD, { made: 4, ...SHARE }), 0);
  assert.equal(bulkEveryMs(UNTOLD, 0.8), 6 * HOUR_MS);
});

test("what the service says counts: its limit for as long as it stands, what remains for the day", () => {
  const told = { ...UNTOLD, callsADay: 10_000, remaining: 3, toldAt: NOON };
  assert.equal(callsLeft("report", told, { made: 100, ...SHARE }), 3);
  const tomorrow = { ...SHARE, now: unixMs(NOON + 24 * HOUR_MS) };
  assert.equal(callsLeft("report", told, { made: 0, ...tomorrow }), 8_000);
  assert.equal(callsLeft("report", { ...told, blockedUntil: unixMs(NOON + 1) }, { made: 0, ...SHARE }), 0);
  const over = { ...told, remaining: 0, blockedUntil: unixMs(NOON - 1) };
  assert.equal(callsLeft("report", over, { made: 100, ...SHARE }), 7_900);
});

test("a day is the service's, whose clock may be a quarter hour off", () => {
  const midnight = Date.UTC(2026, 10, 21);
  assert.equal(dayFrom(unixMs(midnight + 10 * 60_000)), midnight - 24 * HOUR_MS - 15 * 60_000);
  assert.equal(dayFrom(unixMs(midnight + 20 * 60_000)), midnight - 15 * 60_000);
});

test("a pause is what the service says if that can be, else until its next day has surely begun", () => {
  const nextDay = Date.UTC(2026, 10, 22) + 15 * 60_000;
  const pause = (retryAt: number | undefined) =>
    pauseAfter("quota", { failures: 1, retryAt: retryAt === undefined ? undefined : unixMs(retryAt), now: NOON });
  assert.equal(pause(NOON + HOUR_MS), NOON + HOUR_MS);
  assert.equal(pause(NOON + 5), NOON + 60_000);
  for (const impossible of [undefined, NOON - HOUR_MS, NOON + 72 * HOUR_MS]) assert.equal(pause(impossible), nextDay);
});

test("rests after failures grow and are bounded", () => {
  const rests = [0, 1, 2, 10, 1_000].map(
    (failures) => pauseAfter("failed", { failures, retryAt: undefined, now: NOON }) - NOON,
  );
  assert.deepEqual(rests, [60_000, 120_000, 240_000, 1_800_000, 1_800_000]);
});
