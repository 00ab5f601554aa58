/** Two replicas over one database, and a database that is killed: every sighting counted exactly once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { LIST_FLEET, rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { Store } from "../store/store.ts";
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

test("an act that two replicas are given at once, each from a spool that is new, is counted once", async (t) => {
  const database = await createTestDatabase(t);
  const { store } = database;
  const [one, other] = [await openTestLedger(t, store), await openTestLedger(t, await database.open())];
  const sightings = [sightingOf(one, "198.50.0.1")];
  const committed: Promise<unknown>[] = [];
  // While the ledger's row is taken, the first is stopped with its sightings in and not committed.
  await store.transaction(async (sql) => {
    await sql`select from ledger for update`;
    committed.push(one.commitSightings(batchOf(one, 1, 1, sightings, "a")));
    await waiting(store, 1);
    committed.push(other.commitSightings(batchOf(other, 1, 1, sightings, "b")));
    await waiting(store, 2);
  });
  await Promise.all(committed);
  assert.deepEqual(await outcomes(store), { counted: 1, repeated: 1 });
});

test("what one replica commits the other has without being asked, by its notification alone", async (t) => {
  const database = await createTestDatabase(t);
  const one = await openTestLedger(t, database.store);
  const HOUR_MS = 3_600_000;
  const sleep: typeof systemClock.sleep = (ms, signal) => systemClock.sleep(ms < 1_000 ? ms : HOUR_MS, signal);
  const other = await openTestLedger(t, await database.open(), { clock: { ...systemClock, sleep } }); // polls once
  await ready(database.store, 2);
  for (const seq of [1, 2, 3]) {
    const sighting = sightingOf(one, `198.50.0.${seq}`);
    await one.commitSightings(batchOf(one, 1, seq, [sighting]));
    await eventually("the other replica follows", async () => other.get(LIST_FLEET, sighting.address) !== undefined);
  }
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

test("a commit that was cut off after it was durable is found, not done again", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const prefix = parsePrefix("198.49.0.1");
  const acts = [
    () =>
      ledger.write({ kind: "operator" }, async (sql) => {
        await sql`insert into bans (prefix, reason, author) values (${prefix}, 'test', 'test')`;
        return [{ list: LIST_FLEET, prefix, to: { until: unixSeconds(0), rank: rank(0), reasons: [] } }];
      }),
    () => ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")])),
  ];
  for (const act of acts) {
    // Durable here, a commit waits for a standby that never comes; cut off meanwhile, its client hears of neither.
    await standby(store, "nobody");
    const done = act();
    try {
      await eventually("the commit is cut off", async () => {
        const rows = await store.sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where wait_event = 'SyncRep' and datname = current_database() and backend_type = 'client backend'`;
        return rows.length > 0;
      });
    } finally {
      await standby(store, "");
    }
    await done;
  }
  const [bans] = await store.sql<{ count: number }[]>`select count(*)::int as count from bans`;
  assert.deepEqual([bans?.count, await outcomes(store)], [1, { counted: 1 }]);
  await assertRecounted(store, [ledger]);
});

test("a commit that was cut off before it was durable is done again, once", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await store.sql.unsafe(`
    create table slow (word text);
    create function wait() returns trigger language plpgsql as 'begin perform pg_sleep(60); return null; end';
    create constraint trigger slow after insert on slow deferrable initially deferred for each row execute function wait()`);
  const prefix = parsePrefix("198.49.0.1");
  let tries = 0;
  const act = ledger.write({ kind: "operator" }, async (sql) => {
    tries += 1;
    if (tries === 1) await sql`insert into slow values ('in the commit')`;
    await sql`insert into bans (prefix, reason, author) values (${prefix}, 'test', 'test')`;
    return [{ list: LIST_FLEET, prefix, to: { until: unixSeconds(0), rank: rank(0), reasons: [] } }];
  });
  await eventually("it sleeps in its commit", async () => {
    const rows = await store.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where wait_event = 'PgSleep' and datname = current_database()`;
    return rows.length === 1;
  });
  await act;
  const [bans] = await store.sql<{ count: number }[]>`select count(*)::int as count from bans`;
  assert.deepEqual([tries, bans?.count], [2, 1]);
  await assertRecounted(store, [ledger]);
});

function heads(ledger: { lists(): readonly { revision: number; digest: bigint; listings: number }[] }) {
  return ledger.lists().map(({ revision, digest, listings }) => ({ revision, digest, listings }));
}

/** So many replicas listen. */
function ready(store: Store, listeners: number) {
  return eventually("all replicas listen", async () => {
    const rows = await store.sql`
      select from pg_stat_activity where datname = current_database() and query like 'listen%'`;
    return rows.length >= listeners;
  });
}

/** So many commits wait for a lock. */
function waiting(store: Store, commits: number) {
  return eventually("commits wait", async () => {
    const rows = await store.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length >= commits;
  });
}

async function standby(store: Store, name: string): Promise<void> {
  await store.sql.unsafe(`alter system set synchronous_standby_names = '${name}'`);
  await store.sql`select pg_reload_conf()`;
  await eventually("the setting is in force", async () => {
    const [row] = await store.sql<{ name: string }[]>`select current_setting('synchronous_standby_names') as name`;
    return row?.name === name;
  });
}
