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
  const overlaps = [
    { feedNo: 0, rank: 0, offenders: 200 },
    { feedNo: 1, rank: 3, offenders: 60 },
    { feedNo: 1, rank: 4, offenders: 1 },
    { feedNo: 2, rank: 3, offenders: 9 },
  ];
  const known = { entries, packets, overlaps };
  assert.deepEqual(feedValue(1, 30, known), {
    ...{ days: 30, entries: 1_050, uniqueEntries: 950, packets: 502, bytes: 30_120, lastHitAtMs: 9_000 },
    ...{ newOffenders: 200, namedBefore: 61 },
    bands: [
      { rank: 3, confidenceFrom: 95, confidenceTo: 100, entries: 1_000, packets: 500, bytes: 30_000, namedBefore: 60 },
      { rank: 4, confidenceFrom: 84, confidenceTo: 94, entries: 50, packets: 2, bytes: 120, namedBefore: 1 },
    ],
  });
  assert.equal(feedValue(2, 30, known).lastHitAtMs, 0);
});
