import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { until } from "../../../test/support/until.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import type { Store } from "../store/store.ts";
import { beforeClose, createTestDatabase } from "../store/test-database.ts";
import { createHealth } from "./health.ts";

const noJobs = { warnables: () => [] };

test("a coordinator whose ledger follows has nothing to complain about, and its counts are those of the database", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const health = healthOf(store, ledger);
  await list(ledger, "5.1.2.3");
  await list(ledger, "2a01:1::/64");
  assert.deepEqual(await health.warnables(), []);
  const { stored, lists } = await health.readings();
  const byFamily = [...stored!.counts.listings].sort((one, other) => one.family.localeCompare(other.family));
  assert.deepEqual(byFamily, [
    { list: "fleet", family: "v4", count: 1 },
    { list: "fleet", family: "v6", count: 1 },
  ]);
  assert.equal(lists.find(({ list: { name } }) => name === "fleet")!.listings, 2);
});

test("a database that is reached in plain text is told, by its host", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const plainStores = [{ code: "database-plaintext" as const, subject: "db.example.net" }];
  const [told] = await createHealth({ store, ledger, jobs: noJobs, clock: systemClock, plainStores }).warnables();
  assert.deepEqual([told?.code, told?.subject, told?.severity], ["database-plaintext", "db.example.net", "warning"]);
});

test("a check survives the kill of the database, and sees it well again", async (t) => {
  const { store, killServer } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const health = healthOf(store, ledger);
  await killServer();
  const seen = new Set<string>();
  await until("it is well again", async () => {
    const warnables = await health.warnables();
    for (const { code } of warnables) seen.add(code);
    return warnables.length === 0;
  });
  seen.delete("store-unreachable"); // it may be back before it is asked
  assert.deepEqual([...seen], []);
});

test("a disk that is full under the database makes the coordinator not ready, until it stores again", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const health = healthOf(store, ledger);
  await store.sql.unsafe(`
    create function full_disk() returns trigger language plpgsql as
      $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$`);
  await store.sql.unsafe("create trigger full_disk before insert on sightings execute function full_disk()");
  const committed = ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  await until("the full disk is told", async () => {
    const [first] = await health.warnables();
    return first?.code === "store-full" && first.severity === "not-ready";
  });
  await store.sql.unsafe("drop trigger full_disk on sightings");
  assert.equal((await committed).seq, 1);
  assert.deepEqual(await health.warnables(), []);
});

test("a replica that does not follow the ledger is told", async (t) => {
  const { store } = await createTestDatabase(t);
  const asleep = await openLedger({
    ...{ store, clock: systemClock, random: systemRandom, log: silentLog },
    policy: () => DEFAULT_POLICY,
  });
  beforeClose(store, () => asleep.close());
  const health = healthOf(store, asleep);
  assert.deepEqual(await health.warnables(), []);
  await list(await openTestLedger(t, store), "5.1.2.3");
  assert.deepEqual(
    (await health.warnables()).map(({ code }) => code),
    ["ledger-behind"],
  );
  assert.equal(await health.isReady(), false);
});

test("whether it is ready costs one statement, and says what the warnables say", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  let statements = 0;
  const counted = ((...asked: Parameters<Store["sql"]>) => {
    statements += 1;
    return store.sql(...asked);
  }) as unknown as Store["sql"];
  assert.equal(await healthOf({ sql: counted }, ledger).isReady(), true);
  assert.equal(statements, 1);
  const silent = (() => new Promise(() => undefined)) as unknown as Store["sql"];
  assert.equal(await healthOf({ sql: silent }, ledger).isReady(), false);
});

test("a database that never answers costs a scrape its gauges, not the page", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const silent = (() => new Promise(() => undefined)) as unknown as Store["sql"];
  const { stored, warnables, lists } = await healthOf({ sql: silent }, ledger).readings();
  assert.equal(stored, undefined);
  assert.deepEqual(
    warnables.map(({ code }) => code),
    ["store-unreachable"],
  );
  assert.ok(lists.length > 0);
});

function healthOf(store: Pick<Store, "sql">, ledger: Ledger) {
  return createHealth({ store, ledger, jobs: noJobs, clock: systemClock });
}

async function list(ledger: Ledger, text: string): Promise<void> {
  const reasons = [{ kind: "ban" as const, key: "1" }];
  await ledger.write({ kind: "policy" }, async (_, now) => [
    { list: LIST_FLEET, prefix: parsePrefix(text), to: { until: unixSeconds(now + 600), rank: RANK.fleet, reasons } },
  ]);
}
