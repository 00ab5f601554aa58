import assert from "node:assert/strict";
import { test } from "node:test";
import { feedValue } from "./feed-value.ts";

test("a feed's worth is told whole and by band of confidence, its own only", () => {
  const entries = [
    { feedNo: 1, confidence: 100, entries: 1_000, unique: 900 },
    { feedNo: 1, confidence: 90, entries: 50, unique: 50 },
    { feedNo: 2, confidence: 100, entries: 7, unique: 0 },
  ];
  const packets = [
    { feedNo: 1, rank: 3, packets: 500, bytes: 30_000, lastAtMs: 5_000 },
    { feedNo: 1, rank: 4, packets: 2, bytes: 120, lastAtMs: 9_000 },
    { feedNo: 2, rank: 3, packets: 0, bytes: 0, lastAtMs: 9_000 },
  ];
  assert.deepEqual(feedValue(1, 30, { entries, packets }), {
    ...{ days: 30, entries: 1_050, uniqueEntries: 950, packets: 502, bytes: 30_120, lastHitAtMs: 9_000 },
    bands: [
      { rank: 3, confidenceFrom: 95, confidenceTo: 100, entries: 1_000, packets: 500, bytes: 30_000 },
      { rank: 4, confidenceFrom: 84, confidenceTo: 94, entries: 50, packets: 2, bytes: 120 },
    ],
  });
  assert.equal(feedValue(2, 30, { entries, packets }).lastHitAtMs, 0);
});
