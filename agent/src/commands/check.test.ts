import assert from "node:assert/strict";
import { test } from "node:test";
import { WELL } from "../health/status.fixture.ts";
import { judge, unknown } from "./check.ts";

test("an agent in which all is well is OK, with its figures behind a bar", () => {
  const line = "FLEETBAN OK - 12345 entries enforced by ipset | entries=12345 spool=0 drift=0c";
  assert.deepEqual(judge(WELL), { exitCode: 0, line });
  const dry = judge({ ...WELL, firewall: { ...WELL.firewall, backend: "dry-run" } });
  assert.match(dry.line, /^FLEETBAN OK - 12345 entries counted in dry-run, none enforced \|/);
});

test("a warning is 1, an error is 2 and named first, and nobody there is 3", () => {
  const warning = { code: "clock-skewed", sinceMs: 0, detail: "" } as const;
  const error = { code: "rules-missing", sinceMs: 0, detail: "" } as const;
  assert.equal(judge({ ...WELL, warnables: [warning] }).exitCode, 1);
  const both = judge({ ...WELL, warnables: [warning, error] });
  assert.equal(both.exitCode, 2);
  assert.match(both.line, /^FLEETBAN CRITICAL - rules-missing, clock-skewed \|/);
  assert.deepEqual(unknown("no agent answers"), { exitCode: 3, line: "FLEETBAN UNKNOWN - no agent answers" });
});
