/** Two replicas over one database, and a database that is killed: every sighting counted exactly once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { createTestDatabase } from "../store/test-database.ts";
import { eventually } from "./eventually.fixture.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { assertRecounted } from "./recount.fixture.ts";
import { batchOf, outcomes, sightingOf } from "./sightings.fixture.ts";

test("two replicas that are given the same sightings at once count them once", async (t) => {
  const database = await createTestDatabase(t);
  const replicas = [await openTestLedger(t, database.store), await openTestLedger(t, await database.open())];
  const [first] = replicas;
  for (let round = 0; round < 20; round += 1) {
    const sightings = Array.from({ length: 5 }, (_, at) => sightingOf(first!, `198.50.${round}.${at + 1}`));
    // The same under the same numbers, and the same acts from a spool that is new to both.
    const batches = [
      batchOf(first!, 1, round * 5 + 1, sightings, "a"),
      batchOf(first!, 1, 1, sightings, `new in round ${round}`),
    ];
    const committed = replicas.flatMap((replica) => batches.map((batch) => replica.commitSightings(batch)));
    const seqs = (await Promise.all(committed)).map(({ seq }) => seq);
    assert.deepEqual(seqs, [round * 5 + 5, 5, round * 5 + 5, 5]);
  }
  assert.deepEqual(await outcomes(database.store), { counted: 100, repeated: 100 });
  const [offenders] = await database.store.sql<{ most: number }[]>`select max(sightings)::int as most from offenders`;
  assert.equal(offenders?.most, 1);
  await assertRecounted(database.store, replicas);
});

test("what one replica commits the other has within moments, without being asked", async (t) => {
  const database = await createTestDatabase(t);
  const one = await openTestLedger(t, database.store);
  const other = await openTestLedger(t, await database.open());
  await ready(database.store, 2);
  const begunMs = systemClock.monotonicMs();
  await one.commitSightings(batchOf(one, 1, 1, [sightingOf(one, "198.50.0.1")]));
  await eventually(
    "the other replica follows",
    async () => other.get(LIST_FLEET, parsePrefix("198.50.0.1")) !== undefined,
  );
  assert.ok(systemClock.monotonicMs() - begunMs < 500, "the notification was heard, not the poll");
  assert.deepEqual(heads(other), heads(one));
});

test("kill -9 of Postgres in the middle of a burst: every sighting is counted exactly once", async (t) => {
  const { store, killServer } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const spools = 8;
  const each = 60;
  let committed = 0;
  const burst = Array.from({ length: spools }, async (_, spool) => {
    for (let seq = 1; seq <= each; seq += 1) {
      const sighting = sightingOf(ledger, `198.${50 + spool}.0.${seq}`);
      await ledger.commitSightings(batchOf(ledger, spool + 1, seq, [sighting]));
      committed += 1;
    }
  });
  const written = ledger.write({ kind: "operator" }, async (sql) => {
    await sql`insert into bans (prefix, reason, author) values ('198.49.0.1', 'test', 'test')`;
    return [
      { list: LIST_FLEET, prefix: parsePrefix("198.49.0.1"), to: { until: 0 as never, rank: 0 as never, reasons: [] } },
    ];
  });
  for (const share of [0.2, 0.5, 0.8]) {
    await eventually("the burst goes on", async () => committed >= share * spools * each);
    await killServer();
  }
  await Promise.all([...burst, written]);
  assert.deepEqual(await eventually("Postgres is back", () => outcomes(store)), { counted: spools * each });
  const [bans] = await store.sql<{ count: number }[]>`select count(*)::int as count from bans`;
  assert.equal(bans?.count, 1);
  const [spooled] = await store.sql<{ rows: number; acked: number }[]>`
    select count(*)::int as rows, sum(acked_seq)::int as acked from spools`;
  assert.deepEqual({ ...spooled }, { rows: spools, acked: spools * each });
  await assertRecounted(store, [ledger]);
});

test("an operator's act whose commit is cut off is done once", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  for (let round = 1; round <= 10; round += 1) {
    const prefix = parsePrefix(`198.50.0.${round}`);
    let tries = 0;
    await ledger.write({ kind: "operator" }, async (sql) => {
      await sql`insert into bans (prefix, reason, author) values (${prefix}, 'test', 'test')`;
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      // Falls somewhere between here and the answer to the commit.
      tries += 1;
      if (tries === 1)
        systemClock.timer(
          round % 5,
          () => void store.sql`select pg_terminate_backend(${row!.pid})`.catch(() => undefined),
        );
      return [{ list: LIST_FLEET, prefix, to: { until: 0 as never, rank: 0 as never, reasons: [] } }];
    });
  }
  const [bans] = await store.sql<{ count: number }[]>`select count(*)::int as count from bans`;
  assert.equal(bans?.count, 10);
  await assertRecounted(store, [ledger]);
});

function heads(ledger: { lists(): readonly { revision: number; digest: bigint; listings: number }[] }) {
  return ledger.lists().map(({ revision, digest, listings }) => ({ revision, digest, listings }));
}

/** So many replicas listen. */
function ready(store: { sql: Awaited<ReturnType<typeof createTestDatabase>>["store"]["sql"] }, listeners: number) {
  return eventually("all replicas listen", async () => {
    const rows = await store.sql`
      select from pg_stat_activity where datname = current_database() and query like 'listen%'`;
    return rows.length >= listeners;
  });
}
