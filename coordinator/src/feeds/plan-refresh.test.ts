import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { planRefresh } from "./plan-refresh.ts";

const entriesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({
    prefix: parsePrefix(`5.${Math.floor((index + from) / 250)}.7.${(index + from) % 250}`),
    confidence: 100,
  }));
const prefixesOf = (count: number) => new Set(entriesOf(count).map((entry) => entry.prefix));

for (const [before, after, kind] of [
  [0, 10_000, "replace"],
  [0, 3, "replace"],
  [1_000, 500, "replace"],
  [1_000, 499, "hold"],
  [1_000, 3, "hold"],
  [1_000, 0, "hold"],
  [1_000, 2_000, "replace"],
  [1_000, 2_001, "hold"],
  [10, 2, "replace"],
  [10, 0, "hold"],
] as const) {
  test(`a list of ${after} after one of ${before}: ${kind}`, () => {
    assert.equal(planRefresh(prefixesOf(before), entriesOf(after)).kind, kind);
  });
}

test("a list may be wholly other than the day before", () => {
  assert.equal(planRefresh(prefixesOf(1_000), entriesOf(1_000, 5_000)).kind, "replace");
});

test("a network that is too wide for any feed is left out and counted", () => {
  const entries = [...entriesOf(30), { prefix: parsePrefix("4.0.0.0/7"), confidence: 100 }];
  const plan = planRefresh(new Set(), entries);
  assert.deepEqual(plan.kind === "replace" && [plan.entries.length, plan.tooWide], [30, 1]);
});

test("a new wide network needs an operator, a known one doesn't", () => {
  const wide = { prefix: parsePrefix("5.8.0.0/13"), confidence: 100 };
  const plan = planRefresh(prefixesOf(30), [...entriesOf(30), wide]);
  assert.match(plan.kind === "hold" ? plan.reason : "", /1 new networks are wide, 5\.8\.0\.0\/13/);
  assert.equal(planRefresh(new Set([...prefixesOf(30), wide.prefix]), [...entriesOf(30), wide]).kind, "replace");
});
