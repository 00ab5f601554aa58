import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../ledger/eventually.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { listingTexts, openPolicyStage, type PolicyStage } from "./policies.fixture.ts";
import { confirm, newestPolicies, storePolicy } from "./policy-desk.ts";
import { BY_ITSELF, begin, notConfirmedText, rollBack, settleNow } from "./policy-life.ts";
import { beginPolicy } from "./queries.ts";
import { isUnconfirmed } from "./stored-policy.ts";
import { runPolicies } from "./work.ts";

const OPERATOR = { name: "test", role: "socket" };
const QUIET = "jails: { sshd: { weight: 0 } }";
const TRIAL = { canary: { group: "default", seconds: 3_600 } };

test("an alarm that finds the trial put in force meanwhile takes its lists back, too", async (t) => {
  const stage = await openPolicyStage(t);
  const { store, life, apply } = stage;
  const before = await listOne(stage);
  const asItWas = await apply(QUIET, TRIAL);
  assert.ok(await begin(life, asItWas, OPERATOR, "policy begin"));
  assert.deepEqual(await listingTexts(store), []);
  assert.ok(await rollBack(life, asItWas, BY_ITSELF, "alarm: seen while it was tried"));
  assert.deepEqual(await listingTexts(store), before);
});

test("a trial that an operator has put in force is not ended for what its plan would do", async (t) => {
  const { store, life, apply } = await openPolicyStage(t);
  const asItWas = await apply(QUIET, TRIAL);
  assert.ok(await begin(life, asItWas, OPERATOR, "policy begin"));
  assert.equal(await rollBack(life, asItWas, BY_ITSELF, "alarm: wide", "on-trial"), false);
  assert.equal((await newestPolicies(store.sql, 1))[0]?.rolledBack, undefined);
});

test("what is confirmed in the last moment stays", async (t) => {
  const { store, life, apply } = await openPolicyStage(t);
  await apply(QUIET, { confirmSeconds: 600 });
  const [asItWas] = await newestPolicies(store.sql, 1);
  assert.ok(asItWas !== undefined && isUnconfirmed(asItWas));
  assert.ok(await confirm(store, OPERATOR, asItWas, ""));
  assert.equal(await rollBack(life, asItWas, BY_ITSELF, notConfirmedText(asItWas), "unconfirmed"), false);
  assert.equal((await newestPolicies(store.sql, 1))[0]?.rolledBack, undefined);
});

test("what has gone back is not confirmed, and nobody is told that it was", async (t) => {
  const { store, life, apply } = await openPolicyStage(t);
  await apply(QUIET, { confirmSeconds: 600 });
  const [asItWas] = await newestPolicies(store.sql, 1);
  assert.ok(asItWas);
  assert.ok(await rollBack(life, asItWas, BY_ITSELF, notConfirmedText(asItWas), "unconfirmed"));
  assert.equal(await confirm(store, OPERATOR, asItWas, ""), false);
  const [row] = await store.sql<{ acts: number }[]>`
    select count(*)::int as acts from audit_log where act = 'policy confirm'`;
  assert.equal(row?.acts, 0);
});

test("of two that are applied at once one is refused", async (t) => {
  const { store } = await openPolicyStage(t);
  const wanted = { body: QUIET, author: "test", reason: "", days: 7, confirmSeconds: undefined, isApproved: true };
  const alone = async (sql: typeof store.sql) => {
    if ((await newestPolicies(sql, 1)).length > 0) throw new Error("another one is on trial");
  };
  const both = [1, 2].map(() => storePolicy(store, OPERATOR, { ...wanted, ...TRIAL }, alone));
  const states = (await Promise.allSettled(both)).map(({ status }) => status).sort();
  assert.deepEqual(states, ["fulfilled", "rejected"]);
  assert.equal((await newestPolicies(store.sql, 9)).length, 1);
});

test("a replica that has not heard of a policy does not take it for one that was replaced", async (t) => {
  const stage = await openPolicyStage(t); // follows nothing by itself
  const { store, life, apply } = stage;
  await listOne(stage);
  const policy = await apply(QUIET, TRIAL);
  await store.transaction((sql) => beginPolicy(sql, policy.policyNo));
  assert.ok(await settleNow(life, policy));
  assert.deepEqual(await listingTexts(store), []);
});

test("what was applied without a trial by a coordinator that stopped before it began comes into force", async (t) => {
  const { store, life } = await openPolicyStage(t);
  const wanted = { body: QUIET, author: "test", reason: "", days: 7, confirmSeconds: undefined, canary: undefined };
  await storePolicy(store, OPERATOR, { ...wanted, isApproved: true });
  await store.sql`update policies set applied_at = applied_at - interval '2 minutes'`;
  const stop = new AbortController();
  const running = runPolicies({ ...life, alarms: { look: async () => undefined } }, stop.signal).catch(() => undefined);
  await eventually("it is in force", async () => life.policies.current().policy.policyNo === 1);
  stop.abort(new Error("over"));
  await running;
});

async function listOne({ store, ledger }: PolicyStage): Promise<string[]> {
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  const listed = await listingTexts(store);
  assert.equal(listed.length, 1);
  return listed;
}
