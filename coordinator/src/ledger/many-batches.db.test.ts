import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestDatabase } from "../store/test-database.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { batchOf, outcomes, sightingOf } from "./sightings.fixture.ts";

test("many small batches share a commit, and each has its own answer", async (t) => {
  const { store } = await createTestDatabase(t);
  const quota = { burst: 1_500, perMinute: 0 };
  const ledger = await openTestLedger(t, store, { policy: { quota } });
  const addressOf = (at: number) => (at % 2 === 0 ? `198.50.${at >> 8}.${at & 255}` : "10.0.0.1");
  const batches = Array.from({ length: 2_000 }, (_, at) =>
    batchOf(ledger, 1, at + 1, [sightingOf(ledger, addressOf(at))]),
  );
  const answers = await Promise.all(batches.map((batch) => ledger.commitSightings(batch)));
  for (const [at, { overQuota, refused }] of answers.entries()) {
    const isOver = at >= 1_500; // judged first: what would be refused anyway counts as well
    const expected = { overQuota: isOver ? 1 : 0, refused: !isOver && at % 2 === 1 ? 1 : 0 };
    assert.deepEqual({ overQuota, refused }, expected, `batch ${at}`);
  }
  assert.deepEqual(await outcomes(store), { counted: 750, "over-quota": 500, "special-purpose": 750 });
});
