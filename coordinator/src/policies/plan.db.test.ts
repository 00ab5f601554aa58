import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { planBan } from "../admin/act-effects.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { kindOf } from "./plan-lists.ts";
import { commitDay, dayOfSightings, openPolicyStage, strikeTexts } from "./policies.fixture.ts";

for (const seed of [1, 2, 3]) {
  test(`the replay of a day gives what the ledger did that day (seed ${seed})`, async (t) => {
    const { store, ledger, plan } = await openPolicyStage(t);
    await commitDay(ledger, dayOfSightings(ledger, seed, 400));
    const same = await plan("");
    assert.deepEqual(same.changes, []);
    assert.deepEqual(same.touched, [], "neither a strike nor what is remembered differs");
    assert.equal(same.strikesAfter, (await strikeTexts(store)).length);
    assert.ok(same.strikesAfter > 20 && same.sightings > 300, `${same.strikesAfter} strikes of ${same.sightings}`);
  });
}

test("a day under pardons and allows replays as it was: they count from when they began", async (t) => {
  const { store, ledger, plan } = await openPolicyStage(t);
  const day = dayOfSightings(ledger, 7, 300);
  await commitDay(ledger, new Map([...day].slice(0, 2)));
  await store.sql`insert into pardons (prefix, reason, author, begun_at, until)
    values ('198.50.0.1', 'sorry', 'test', clock_timestamp(), clock_timestamp() + interval '1 hour')`;
  await store.sql`insert into allowlist (prefix, reason, author) values ('198.50.1.0/24', 'ours', 'test')`;
  await ledger.write({ kind: "operator" }, async (sql, now) => {
    return ledger.decideAnew(
      sql,
      [parsePrefix("198.50.0.1"), ...[1, 2, 3, 4, 5, 6, 7, 8].map((at) => parsePrefix(`198.50.1.${at}`))],
      now,
    );
  });
  await commitDay(ledger, new Map([...day].slice(2)), "after");
  const same = await plan("");
  assert.deepEqual(same.changes, []);
  assert.equal(same.strikesAfter, same.strikesBefore);
  const kinds = new Set(same.collisions.map(({ kind }) => kind));
  assert.ok(kinds.has("allowed"), "what would be listed were it not allowed");
});

test("a plan says what a weight, a rung and a corroboration would list and unlist, and changes nothing", async (t) => {
  const { store, ledger, plan } = await openPolicyStage(t);
  await ledger.commitSightings(
    batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1"), sightingOf(ledger, "198.50.0.2", { jail: "noise" })]),
  );
  await ledger.commitSightings(batchOf(ledger, 2, 1, [sightingOf(ledger, "198.50.0.1")]));
  await ledger.write({ kind: "operator" }, async (sql, now) => {
    const wish = { prefix: parsePrefix("198.50.0.2"), seconds: 600, reason: "", author: "test" };
    return (await planBan(ledger, sql, wish, now)).changes;
  });
  const before = await strikeTexts(store);
  const texts = async (body: string) =>
    (await plan(body)).changes.map((change) => `${kindOf(change)} ${change.prefix} ${change.reasons.join(",")}`);
  assert.deepEqual(await texts("jails: { sshd: { weight: 0.2 } }"), ["remove 198.50.0.1 strike"]);
  assert.deepEqual(await texts("jails: { noise: { weight: 0 } }"), ["alter 198.50.0.2 ban"], "a ban is no sighting");
  assert.deepEqual(await texts("corroboration: { agents: 2 }"), ["alter 198.50.0.2 ban"]);
  assert.deepEqual(await texts("strikes: { ladder: [2h, 4h], minimum: 2h }"), [
    "alter 198.50.0.1 strike",
    "alter 198.50.0.2 ban,strike",
  ]);
  assert.deepEqual(await texts("jails: { sshd: { weight: 0.2 }, noise: { list: loud } }\nlists: { loud: {} }"), [
    "remove 198.50.0.1 strike",
    "alter 198.50.0.2 ban",
    "add 198.50.0.2 strike",
  ]);
  assert.deepEqual(await strikeTexts(store), before);
  assert.equal(ledger.lists().find(({ list }) => list.list === LIST_FLEET)?.listings, 2);
});

test("networks that would be widened, or would be no more, are in the plan", async (t) => {
  const { ledger, plan } = await openPolicyStage(t);
  const sightings = Array.from({ length: 6 }, (_, at) => sightingOf(ledger, `198.50.0.${at + 1}`));
  await ledger.commitSightings(batchOf(ledger, 1, 1, sightings));
  await ledger.commitSightings(batchOf(ledger, 2, 1, sightings));
  const { changes } = await plan("ipv4: { addresses: 5, agents: 1 }");
  assert.deepEqual(
    changes.map((change) => `${kindOf(change)} ${change.prefix} ${change.reasons.join(",")}`),
    ["add 198.50.0.0/24 widened"],
  );
});

test("what was pardoned lately and would be listed again is told", async (t) => {
  const { store, ledger, plan } = await openPolicyStage(t);
  await store.sql`
    insert into pardons (prefix, reason, author, begun_at, until)
    values ('198.50.0.1', 'sorry', 'test', clock_timestamp() - interval '2 h', clock_timestamp() - interval '1 h')`;
  const forged = ["198.50.0.1", "198.50.0.2"].map((address) =>
    sightingOf(ledger, address, { jail: "nginx-botsearch" }),
  );
  await ledger.commitSightings(batchOf(ledger, 1, 1, forged));
  const { changes, collisions } = await plan("weights: { forgeable: 1 }");
  assert.deepEqual(
    changes.map((change) => `${kindOf(change)} ${change.prefix}`),
    ["add 198.50.0.1", "add 198.50.0.2"],
  );
  assert.deepEqual(
    collisions.map(({ prefix, kind }) => `${prefix} ${kind}`),
    ["198.50.0.1 pardoned-lately"],
  );
});
