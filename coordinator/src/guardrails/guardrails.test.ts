import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "@fleetban/kit/config";
import { GUARDRAIL_TABLE } from "./guardrail-table.ts";
import { DEFAULT_GUARDRAILS, guardrailsOf } from "./guardrails.ts";

test("an empty policy file gives the defaults", () => {
  const settings = readConfig("", "policy.yaml", GUARDRAIL_TABLE);
  assert.deepEqual(guardrailsOf(settings), DEFAULT_GUARDRAILS);
  assert.deepEqual(settings.packs, []);
});

test("percents of the file are parts in the record", () => {
  const settings = readConfig("guardrails: {ceiling_v4: 1.5, ceiling_v6: 0.01}", "policy.yaml", GUARDRAIL_TABLE);
  assert.deepEqual(guardrailsOf(settings).ceiling, { 4: 0.015, 6: 0.0001 });
});
