import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { createTestDatabase } from "../store/test-database.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { batchOf, outcomes, sightingOf } from "./sightings.fixture.ts";

test("many small batches share a commit, each has its own answer, and nothing else waits for long", async (t) => {
  const { store } = await createTestDatabase(t);
  const quota = { burst: 1_500, perMinute: 0 };
  const ledger = await openTestLedger(t, store, { policy: { quota } });
  const addressOf = (at: number) => (at % 2 === 0 ? `198.50.${at >> 8}.${at & 255}` : "10.0.0.1");
  const batches = Array.from({ length: 2_000 }, (_, at) =>
    batchOf(ledger, 1, at + 1, [sightingOf(ledger, addressOf(at))]),
  );
  const pauses = monitorEventLoopDelay();
  pauses.enable();
  const answers = await Promise.all(batches.map((batch) => ledger.commitSightings(batch)));
  pauses.disable();
  t.diagnostic(`longest pause ${Math.round(pauses.max / 1e6)} ms`);
  assert.ok(pauses.max < 1.5e9, "the event loop stood still");
  for (const [at, { overQuota, refused }] of answers.entries()) {
    const expected = at % 2 === 1 ? { overQuota: 0, refused: 1 } : { overQuota: at < 1_500 ? 0 : 1, refused: 0 };
    assert.deepEqual({ overQuota, refused }, expected, `batch ${at}`);
  }
  assert.deepEqual(await outcomes(store), { counted: 750, "over-quota": 250, "special-purpose": 1_000 });
});
