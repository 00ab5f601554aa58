import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET, listNo } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { createTestDatabase } from "../store/test-database.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { assertRecounted } from "./recount.fixture.ts";
import { batchOf, sightingOf } from "./sightings.fixture.ts";

const LIST_WEB = listNo(9);
const attacker = parsePrefix("198.50.0.1");

test("each jail's list has its own evidence, strikes and end", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`
    insert into lists (list_no, name, effect, requires, lease_seconds) values (${LIST_WEB}, 'web', 'deny', '{1}', 86400)`;
  const ledger = await openTestLedger(t, store, {
    policy: { jailLists: { shop: LIST_WEB, blog: LIST_WEB }, corroboration: 2 },
  });
  const see = (agentNo: number, seq: number, jails: readonly string[]) => {
    const sightings = jails.map((jail) => sightingOf(ledger, attacker, { jail }));
    return ledger.commitSightings(batchOf(ledger, agentNo, seq, sightings, `spool of ${agentNo}`));
  };
  await see(1, 1, ["shop"]);
  await see(2, 1, ["sshd"]);
  assert.deepEqual(ledger.covering(attacker), [], "a witness for one list is none for another");
  await see(3, 1, ["blog"]);
  assert.deepEqual(
    ledger.covering(attacker).map(({ list }) => list),
    [LIST_WEB],
  );
  await see(4, 1, ["sshd"]);
  assert.deepEqual(
    ledger
      .covering(attacker)
      .map(({ list }) => list)
      .toSorted(),
    [LIST_FLEET, LIST_WEB],
  );
  const strikes = await store.sql<{ list_no: number; strikes: number; sightings: number }[]>`
    select o.list_no, o.sightings, (select count(*)::int from strikes s where s.list_no = o.list_no) as strikes
    from offenders o order by 1`;
  assert.deepEqual(
    strikes.map((row) => ({ ...row })),
    [
      { list_no: LIST_FLEET, strikes: 1, sightings: 2 },
      { list_no: LIST_WEB, strikes: 1, sightings: 2 },
    ],
  );
  await assertRecounted(store, [ledger]);
});

test("what an operator takes back is decided anew on every list that it is known on", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`
    insert into lists (list_no, name, effect, requires, lease_seconds) values (${LIST_WEB}, 'web', 'deny', '{1}', 86400)`;
  const ledger = await openTestLedger(t, store, { policy: { jailLists: { shop: LIST_WEB } } });
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, attacker, { jail: "shop" })]));
  await ledger.write({ kind: "operator" }, async (sql, now) => {
    await sql`update strikes set voided_at = clock_timestamp(), voided_by = 'test'`;
    return ledger.decideAnew(sql, [attacker], now);
  });
  assert.deepEqual(ledger.covering(attacker), []);
});

test("a jail of a list that is none to ban on, or not known here, bans on fleet", async (t) => {
  const { store } = await createTestDatabase(t);
  const policy = { jailLists: { one: listNo(1), two: listNo(77) } };
  const ledger = await openTestLedger(t, store, { policy });
  const sightings = ["one", "two"].map((jail, at) => sightingOf(ledger, `198.50.0.${at + 1}`, { jail }));
  await ledger.commitSightings(batchOf(ledger, 1, 1, sightings));
  for (const { address } of sightings) {
    assert.deepEqual(
      ledger.covering(address).map(({ list }) => list),
      [LIST_FLEET],
    );
  }
});
