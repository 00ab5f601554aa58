import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { DenyRule, RuleState } from "./backend.ts";
import { noDrift } from "./drift.ts";
import { createRuleKeeper } from "./rule-keeper.ts";

const RULE: DenyRule = {
  deny: { 4: "fleetban-fleet-v4", 6: "fleetban-fleet-v6" },
  except: [],
  reach: { kind: "all-traffic" },
  verdict: "drop",
};

/** A kernel whose rules are taken away, and refused again for as long as told. */
function keeperFixture() {
  const clock = createVirtualClock(0);
  const kernel = { state: { kind: "present" } as RuleState, isRefusing: false, tries: [] as number[] };
  const keeper = createRuleKeeper({
    backend: {
      async ensureRules() {
        kernel.tries.push(clock.monotonicMs());
        if (kernel.isRefusing) throw new Error("the set does not exist");
        kernel.state = { kind: "present" };
      },
      ruleState: async () => kernel.state,
    },
    ...{ clock, log: silentLog, drift: noDrift() },
    exclusive: (act) => act(),
    wanted: () => [RULE],
    waitsFor: () => "nothing",
    onEnsured: () => undefined,
  });
  return { clock, kernel, keeper };
}

test("rules that come back too early for their sets are there a second after the sets are", async () => {
  const { clock, kernel, keeper } = keeperFixture();
  await keeper.sync();
  kernel.state = { kind: "missing", what: "the chain" };
  kernel.isRefusing = true;
  await keeper.check(true);
  assert.equal(keeper.state().kind, "missing");
  kernel.isRefusing = false;
  await clock.run(1_000);
  await keeper.check(false);
  assert.equal(keeper.state().kind, "present");
});

test("what stays missing is tried ever more rarely, down to twice a minute", async () => {
  const { clock, kernel, keeper } = keeperFixture();
  kernel.isRefusing = true;
  for (let second = 0; second <= 200; second += 1) {
    await clock.run(second * 1_000);
    await keeper.check(false);
  }
  const pauses = kernel.tries.slice(1).map((atMs, index) => atMs - (kernel.tries[index] ?? 0));
  assert.deepEqual(pauses, [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
});
