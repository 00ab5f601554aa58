import assert from "node:assert/strict";
import { test } from "node:test";
import { unixMs } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { bookCall, callsUsed, learnRate, NO_CALLS, type Quota } from "./quota.ts";

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const MARGIN_MS = 15 * 60_000;
const MIDNIGHT = Date.UTC(2026, 10, 21);
const rules = { callsPerDay: 5, callsKept: 2, paceSeconds: 0 };
const noNotice = { limit: undefined, remaining: undefined, retryAt: undefined };

test("the schedule leaves two of five calls to fetches by hand", () => {
  let quota: Quota = NO_CALLS;
  const now = unixMs(MIDNIGHT + HOUR_MS);
  for (const byHand of [false, false, false, true, true]) quota = booked(quota, byHand, now);
  assert.equal(bookCall({ ...quota, calls: quota.calls.slice(0, 3) }, rules, false, now).kind, "exhausted");
  assert.equal(bookCall(quota, rules, true, now).kind, "exhausted");
  assert.equal(callsUsed(quota, now), 5);
});

test("no publisher whose clock is within the margin ever counts a sixth call in one of its days", () => {
  const attempts = fc.array(fc.integer({ min: 0, max: 3 * DAY_MS }), { maxLength: 80 });
  fc.assert(
    fc.property(attempts, fc.integer({ min: -MARGIN_MS, max: MARGIN_MS }), (momentsMs, theirOffsetMs) => {
      let quota: Quota = NO_CALLS;
      const callsByTheirDay = new Map<number, number>();
      for (const momentMs of momentsMs.toSorted((one, other) => one - other)) {
        const now = unixMs(MIDNIGHT + momentMs);
        const booking = bookCall(quota, rules, true, now);
        if (booking.kind === "exhausted") continue;
        quota = booking.quota;
        const theirDay = Math.floor((now + theirOffsetMs) / DAY_MS);
        callsByTheirDay.set(theirDay, (callsByTheirDay.get(theirDay) ?? 0) + 1);
      }
      for (const calls of callsByTheirDay.values()) assert.ok(calls <= 5, `${calls} calls in a day`);
    }),
  );
});

test("the calls of yesterday are free again when the publisher's day has surely begun", () => {
  const evening = unixMs(MIDNIGHT - HOUR_MS);
  const quota = { calls: [evening, evening, evening, evening, evening] };
  assert.deepEqual(bookCall(quota, rules, true, evening), { kind: "exhausted", until: MIDNIGHT + MARGIN_MS });
  assert.equal(bookCall(quota, rules, true, unixMs(MIDNIGHT + MARGIN_MS - 1)).kind, "exhausted");
  assert.equal(bookCall(quota, rules, true, unixMs(MIDNIGHT + MARGIN_MS)).kind, "booked");
});

test("a refusal pauses as long as the publisher says, and a nonsensical pause ends with the day", () => {
  const noon = unixMs(MIDNIGHT + 12 * HOUR_MS);
  const pauseOf = (retryAtMs: number) =>
    learnRate(NO_CALLS, { ...noNotice, retryAt: unixMs(retryAtMs) }, "day", noon).blockedUntil;
  assert.equal(pauseOf(noon + HOUR_MS), noon + HOUR_MS);
  assert.equal(pauseOf(noon - 3 * DAY_MS), MIDNIGHT + DAY_MS + MARGIN_MS, "a reset in the past");
  assert.equal(pauseOf(noon + 3 * DAY_MS), MIDNIGHT + DAY_MS + MARGIN_MS, "a reset in days");
  assert.equal(pauseOf(noon + 1), noon + 60_000, "a moment is no pause");
});

test("calls made elsewhere with the same key are learned from the publisher's headers", () => {
  const noon = unixMs(MIDNIGHT + 12 * HOUR_MS);
  const quota = learnRate(NO_CALLS, { ...noNotice, limit: 5, remaining: 0 }, undefined, noon);
  assert.equal(bookCall(quota, rules, true, noon).kind, "exhausted");
  const lower = learnRate(NO_CALLS, { ...noNotice, limit: 1, remaining: 1 }, undefined, noon);
  assert.equal(bookCall(booked(lower, true, noon), rules, true, noon).kind, "exhausted");
});

test("who asks too fast waits as long as is said, and the day's calls are left", () => {
  const noon = unixMs(MIDNIGHT + 12 * HOUR_MS);
  const told = learnRate(NO_CALLS, { ...noNotice, retryAt: unixMs(noon + 5 * 60_000) }, "pace", noon);
  assert.equal(bookCall(told, rules, true, noon).kind, "exhausted");
  assert.equal(bookCall(told, rules, true, unixMs(noon + 5 * 60_000)).kind, "booked");
  assert.deepEqual(learnRate(NO_CALLS, noNotice, "pace", noon), NO_CALLS);
  assert.deepEqual(learnRate(NO_CALLS, { ...noNotice, retryAt: unixMs(noon + 9 * DAY_MS) }, "pace", noon), NO_CALLS);
});

test("a publisher's pace holds for calls by hand too, and a file of one's own has none", () => {
  const noon = unixMs(MIDNIGHT + 12 * HOUR_MS);
  const hourly = { callsPerDay: 24, callsKept: 0, paceSeconds: 3_600 };
  const first = bookCall(NO_CALLS, hourly, true, noon);
  const quota = first.kind === "booked" ? first.quota : NO_CALLS;
  assert.deepEqual(bookCall(quota, hourly, true, unixMs(noon + HOUR_MS - 1)), {
    kind: "exhausted",
    until: noon + HOUR_MS,
  });
  assert.equal(bookCall(quota, hourly, true, unixMs(noon + HOUR_MS)).kind, "booked");
  const free = { callsPerDay: 0, callsKept: 0, paceSeconds: 0 };
  assert.deepEqual(bookCall(NO_CALLS, free, false, noon), { kind: "booked", quota: NO_CALLS });
});

function booked(quota: Quota, byHand: boolean, now: ReturnType<typeof unixMs>): Quota {
  const booking = bookCall(quota, rules, byHand, now);
  assert.equal(booking.kind, "booked");
  return booking.kind === "booked" ? booking.quota : quota;
}
