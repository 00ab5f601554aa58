import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { add, CONFORMANCE_CASES } from "../conformance.fixture.ts";
import { createDryRunBackend } from "./dry-run-backend.ts";

for (const { name, run } of CONFORMANCE_CASES) {
  test(`dry-run: ${name}`, () => run(createDryRunBackend(createVirtualClock())));
}

test("dry-run: an entry ends when its time has passed, and makes room", async () => {
  const clock = createVirtualClock();
  const backend = createDryRunBackend(clock);
  const [set, first] = ["fleetban-a-v4", parsePrefix("1.0.0.1")];
  await backend.createSet({ name: set, family: 4, maxEntries: 1 });
  await backend.apply([add(set, first, 10)]);
  await clock.run(9_999);
  assert.equal(await backend.testEntry(set, first), true);
  assert.equal((await backend.apply([add(set, "1.0.0.2")])).length, 1);
  await clock.run(10_000);
  assert.equal(await backend.testEntry(set, first), false);
  assert.deepEqual(await backend.apply([add(set, "1.0.0.2")]), []);
});

test("dry-run: a set that a rule names is not destroyed", async () => {
  const backend = createDryRunBackend(createVirtualClock());
  const pair = { 4: "fleetban-a-v4", 6: "fleetban-a-v6" } as const;
  for (const family of [4, 6] as const) await backend.createSet({ name: pair[family], family, maxEntries: 1 });
  await backend.ensureRules([{ deny: pair, except: [], reach: { kind: "all-traffic" }, verdict: "drop" }]);
  await assert.rejects(backend.destroySet(pair[4]), { code: "set-in-use" });
});
