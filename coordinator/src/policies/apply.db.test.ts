import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { assertRecounted } from "../ledger/recount.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { kindOf } from "./plan-lists.ts";
import {
  commitDay,
  dayOfSightings,
  listingTexts,
  openPolicyStage,
  type PolicyStage,
  strikeTexts,
} from "./policies.fixture.ts";

const CHANGED = [
  "strikes: { ladder: [30m, 2h, 12h], minimum: 30m }",
  "corroboration: { agents: 2, feeds: false }",
  "jails: { sshd: { weight: 0.4 }, postfix: { list: mail } }\nlists: { mail: { ports: 25 } }",
  "weights: { threshold: 2.5, half_life: 2h }",
  "ipv4: { addresses: 3, agents: 1 }",
];

for (const [seed, body] of CHANGED.entries()) {
  test(`applied it changes what its plan says, rolled back everything is as it was: ${body.split("\n")[0]}`, async (t) => {
    const stage = await openPolicyStage(t);
    const { store, ledger, plan, apply, rollback } = stage;
    await commitDay(ledger, dayOfSightings(ledger, seed + 10, 250));
    const before = {
      strikes: await strikeTexts(store),
      listings: await listingTexts(store),
      scores: await scores(stage),
    };
    const planned = await plan(body);
    assert.ok(planned.changes.length > 0, "the policy changes something");
    await apply(body);
    const wanted = new Map(before.listings.map((text) => [keyOf(text), text]));
    for (const change of planned.changes) {
      const key = `${change.list} ${asSql(change.prefix)}`;
      if (kindOf(change) === "remove") wanted.delete(key);
      else wanted.set(key, `${key} ${change.after?.until} ${change.after?.rank}`);
    }
    assert.deepEqual(await listingTexts(store), [...wanted.values()].sort());
    assert.deepEqual((await plan(body)).changes, [], "nothing is left of the plan");
    await assertRecounted(store, [ledger]);

    await rollback();
    assert.deepEqual(await strikeTexts(store), before.strikes);
    assert.deepEqual(await listingTexts(store), before.listings);
    assert.deepEqual(await scores(stage), before.scores);
    await assertRecounted(store, [ledger]);
  });
}

test("what is sighted under a policy that is rolled back is judged by the one that is in force again", async (t) => {
  const { store, ledger, apply, rollback } = await openPolicyStage(t);
  await apply("jails: { sshd: { weight: 0 } }\nstrikes: { ladder: [5d] }");
  const sightings = [sightingOf(ledger, "198.50.0.1"), sightingOf(ledger, "198.50.0.2", { jail: "postfix" })];
  await ledger.commitSightings(batchOf(ledger, 1, 1, sightings));
  const lasts = async () => {
    const rows = await store.sql<{ text: string }[]>`
      select host(prefix) || ' ' || round(extract(epoch from until - clock_timestamp()) / 3600)::int as text
      from listings where list_no = 2 order by 1`;
    return rows.map(({ text }) => text);
  };
  assert.deepEqual(await lasts(), ["198.50.0.2 120"]);
  await rollback();
  assert.deepEqual(await lasts(), ["198.50.0.1 1", "198.50.0.2 1"]);
  const rows = await store.sql<{ text: string }[]>`
    select concat_ws(' ', host(prefix), policy_no, voided_by) as text from strikes order by strike_no`;
  assert.deepEqual(
    rows.map(({ text }) => text),
    ["198.50.0.2 1 policy 1 rolled back", "198.50.0.1 0", "198.50.0.2 0"],
  );
});

test("policies stack: the second is rolled back to the first, the first to the defaults", async (t) => {
  const { store, ledger, policies, apply, rollback } = await openPolicyStage(t);
  await commitDay(ledger, dayOfSightings(ledger, 30, 120));
  const defaults = await strikeTexts(store);
  await apply("strikes: { ladder: [2h, 8h], minimum: 2h }");
  const first = await strikeTexts(store);
  await apply("jails: { sshd: { weight: 0.1 } }");
  assert.notDeepEqual(await strikeTexts(store), first);
  await rollback();
  assert.deepEqual([policies.current().policy.policyNo, await strikeTexts(store)], [1, first]);
  await rollback();
  assert.deepEqual([policies.current().policy.policyNo, await strikeTexts(store)], [0, defaults]);
});

test("an operator's bans, pardons and allows outlive every policy", async (t) => {
  const { store, ledger, apply, rollback } = await openPolicyStage(t);
  await store.sql`insert into bans (prefix, reason, author) values ('198.50.0.9', 'ours', 'test')`;
  await store.sql`insert into pardons (prefix, reason, author, until)
    values ('198.50.0.1', 'sorry', 'test', clock_timestamp() + interval '1 hour')`;
  await ledger.write({ kind: "operator" }, (sql, now) => ledger.decideAnew(sql, [parsePrefix("198.50.0.9")], now));
  const sightings = ["198.50.0.1", "198.50.0.2", "198.50.0.9"].map((address) => sightingOf(ledger, address));
  await ledger.commitSightings(batchOf(ledger, 1, 1, sightings));
  const listed = async () => (await listingTexts(store)).map((text) => text.split(" ")[1]);
  await apply("weights: { threshold: 100 }");
  assert.deepEqual(await listed(), ["198.50.0.9/32"]);
  await rollback();
  assert.deepEqual(await listed(), ["198.50.0.2/32", "198.50.0.9/32"]);
});

async function scores({ store }: PolicyStage): Promise<string[]> {
  const rows = await store.sql<{ text: string }[]>`
    select concat_ws(' ', list_no, prefix, round(score::numeric, 3), agents) as text from offenders
    where list_no = 2 order by 1`; // what is remembered for a list that is given to nobody does no harm
  return rows.map(({ text }) => text);
}

function keyOf(text: string): string {
  return text.split(" ").slice(0, 2).join(" ");
}

function asSql(prefix: string): string {
  if (prefix.includes("/")) return prefix;
  return `${prefix}/${prefix.includes(":") ? 128 : 32}`;
}
