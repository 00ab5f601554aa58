import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { coverOf, NOTHING_COVERED } from "./cover.ts";
import { DEFAULT_GUARDRAILS } from "./guardrails.ts";
import { judgeChange, type ListSize } from "./judge-change.ts";

const sized = (listings: number): ListSize => ({ listings, cover: NOTHING_COVERED });
const covering = (...texts: string[]): ListSize => ({ listings: texts.length, cover: coverOf(texts.map(parsePrefix)) });

for (const [before, after, isHeld] of [
  [1_000, 500, false],
  [1_000, 499, true],
  [1_000, 0, true],
  [150, 60, false],
  [150, 49, true],
  [0, 5, false],
  [99, 0, false],
] as const) {
  test(`a list that goes from ${before} to ${after} listings at once ${isHeld ? "falls below" : "keeps"} its floor`, () => {
    assert.equal(judgeChange(sized(before), sized(after), DEFAULT_GUARDRAILS).floor !== undefined, isHeld);
  });
}

test("a policy may have no floor", () => {
  assert.equal(judgeChange(sized(1_000), sized(0), { ...DEFAULT_GUARDRAILS, floor: 0 }).floor, undefined);
});

test("the two halves of the internet are above any ceiling, by family", () => {
  const before = covering();
  const both = judgeChange(before, covering("0.0.0.0/1", "128.0.0.0/1"), DEFAULT_GUARDRAILS);
  assert.equal(both.ceiling, "it would cover 116.0 % of the public IPv4 addresses");
  const v6 = judgeChange(before, covering("2600::/12"), DEFAULT_GUARDRAILS);
  assert.equal(v6.ceiling, "it would cover 0.2 % of the public IPv6 networks");
  assert.equal(judgeChange(before, covering("5.0.0.0/8", "2001:4000::/32"), DEFAULT_GUARDRAILS).ceiling, undefined);
});

test("a list that is above the ceiling already may change in itself, and shrink", () => {
  const wide = ["5.0.0.0/8", "6.0.0.0/8", "7.0.0.0/8", "8.0.0.0/8", "9.0.0.0/8"];
  assert.match(judgeChange(covering(), covering(...wide), DEFAULT_GUARDRAILS).ceiling ?? "", /2\.3 %/);
  assert.equal(judgeChange(covering(...wide), covering(...wide), DEFAULT_GUARDRAILS).ceiling, undefined);
  assert.equal(judgeChange(covering(...wide), covering(...wide.slice(1)), DEFAULT_GUARDRAILS).ceiling, undefined);
});
