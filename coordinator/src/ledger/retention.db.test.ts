import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { eventually } from "./eventually.fixture.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { assertRecounted } from "./recount.fixture.ts";
import { keepPartitions } from "./retention.ts";
import { batchOf, outcomes, sightingOf } from "./sightings.fixture.ts";

const DAY_MS = 86_400_000;

test("days are made ahead and dropped by age, by several replicas at once", async (t) => {
  const { store } = await createTestDatabase(t);
  const start = Date.UTC(2027, 0, 10);
  await Promise.all([1, 2, 3].map(() => keep(store, start)));
  assert.deepEqual((await days(store)).slice(0, 2), ["sightings_20270109", "sightings_20270110"]);
  assert.equal((await days(store)).at(-1), "sightings_20270117");
  await keep(store, start + 32 * DAY_MS);
  assert.equal((await days(store))[0], "sightings_20270111");
});

test("a day that nobody made fails no commit, and its sightings move when it is made", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { isIdle: true }); // else it would make them again itself
  const nowMs = ledger.ledgerTimeMs();
  const names = await days(store);
  for (const name of names) await store.sql.unsafe(`drop table ${name}`);
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  assert.equal(await count(store, "only sightings_default"), 1);
  await keep(store, nowMs);
  assert.deepEqual(await days(store), names);
  assert.deepEqual([await count(store, "only sightings_default"), await count(store, "sightings")], [0, 1]);
  // What it has moved is still known as counted.
  await ledger.commitSightings(batchOf(ledger, 1, 2, [sightingOf(ledger, "198.50.0.1")]));
  assert.equal(await count(store, "sightings"), 2);
});

test("while the clock has jumped sightings are stored, acknowledged and undecided; they are decided after it", async (t) => {
  const { store } = await createTestDatabase(t);
  let shiftMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + shiftMs };
  const ledger = await openTestLedger(t, store, { clock });
  const address = parsePrefix("198.50.0.1");
  shiftMs = 3_600_000; // as seen from here, the ledger's clock falls behind by an hour
  await eventually("the jump is seen", async () => ledger.clockHeld);
  const committed = await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  assert.equal(committed.seq, 1);
  assert.equal(ledger.get(LIST_FLEET, address), undefined);
  assert.deepEqual(await outcomes(store), { held: 1 });
  await eventually("an operator is told", async () => {
    const rows = await store.sql`
      update holds set resolved_at = now(), resolved_by = 'test', resolution = 'approved' where subject = 'clock' returning 1`;
    return rows.length === 1;
  });
  await eventually("it is decided", async () => ledger.get(LIST_FLEET, address) !== undefined);
  assert.deepEqual([await outcomes(store), ledger.clockHeld], [{ counted: 1 }, false]);
  await assertRecounted(store, [ledger]);
});

/** As often as a lock is not had in time: a replica comes round again. */
async function keep(store: Store, nowMs: number): Promise<void> {
  await eventually("partitions are kept", () => keepPartitions(store, nowMs, DEFAULT_POLICY).then(() => true));
}

async function days(store: Store): Promise<string[]> {
  const rows = await store.sql<{ name: string }[]>`
    select relname::text as name from pg_class where relname ~ '^sightings_\\d+$' and relkind = 'r' order by 1`;
  return rows.map(({ name }) => name);
}

async function count(store: Store, from: string): Promise<number> {
  const [row] = await store.sql.unsafe<{ count: number }[]>(`select count(*)::int as count from ${from}`);
  return row?.count ?? 0;
}
