import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { eventually } from "../ledger/eventually.fixture.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { listingTexts, openPolicyStage, RETENTION_SECONDS, strikeTexts } from "./policies.fixture.ts";
import { openPolicies } from "./policies.ts";
import { newestPolicies, storePolicy } from "./policy-desk.ts";
import { begin } from "./policy-life.ts";
import { takeLease } from "./queries.ts";
import { runPolicies } from "./work.ts";

const QUIET = "jails: { sshd: { weight: 0 } }";
const NO_ALARMS = { look: async () => undefined };

test("a replica that has not heard of a policy decides nothing by the one before", async (t) => {
  const { store, policies, apply } = await openPolicyStage(t);
  const parts = { store, clock: systemClock, log: silentLog, retentionSeconds: RETENTION_SECONDS };
  const deaf = await openPolicies(parts); // follows nothing by itself
  const other = await openTestLedger(t, store, { source: () => deaf.current().policy, readPolicy: deaf.refresh });
  await apply(QUIET);
  assert.deepEqual([policies.current().policy.policyNo, deaf.current().policy.policyNo], [1, 0]);
  await other.commitSightings(batchOf(other, 1, 1, [sightingOf(other, "198.50.0.1")]));
  assert.deepEqual([deaf.current().policy.policyNo, await strikeTexts(store)], [1, []]);
});

test("a replica hears of a policy without being asked", async (t) => {
  const { store, apply } = await openPolicyStage(t);
  const parts = { store, clock: systemClock, log: silentLog, retentionSeconds: RETENTION_SECONDS };
  const other = await openPolicies(parts);
  const stop = new AbortController();
  const running = other.run(stop.signal).catch(() => undefined);
  await apply("prune_after: 90d");
  await eventually("it is heard", async () => other.current().policy.pruneAfterSeconds === 90 * 86_400);
  stop.abort(new Error("over"));
  await running;
});

test("what another replica left half done is finished", async (t) => {
  const { store, ledger, life } = await openPolicyStage(t);
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  const wanted = { body: QUIET, author: "test", reason: "", days: 7, confirmSeconds: undefined, canary: undefined };
  const policy = await storePolicy(store, { name: "test", role: "socket" }, { ...wanted, isApproved: true });
  assert.ok(await takeLease(store.sql, policy.policyNo, "a replica that dies", 600));
  assert.equal(await begin(life, policy, { name: "test", role: "socket" }, "policy begin"), false, "it has the lease");
  assert.equal((await listingTexts(store)).length, 1);
  await store.sql`update policies set leased_until = clock_timestamp()`;
  await untilDone(life, async () => (await newestPolicies(store.sql, 1))[0]?.isSettled === true);
  assert.deepEqual([await listingTexts(store), await strikeTexts(store)], [[], []]);
});

test("a policy that another one replaced before it was settled is settled by that", async (t) => {
  const { store, life, apply } = await openPolicyStage(t);
  await apply(QUIET);
  await apply("");
  await store.sql`update policies set settled_at = null where policy_no = 1`;
  const isSettled = async () => (await newestPolicies(store.sql, 2)).every((policy) => policy.isSettled);
  await untilDone(life, isSettled);
  assert.equal(life.policies.current().policy.policyNo, 2);
});

test("a trial that has become wide since an operator saw its plan is an alarm, and adds nothing", async (t) => {
  const { store, ledger, life, apply } = await openPolicyStage(t);
  await apply("guardrails: { ceiling_v4: 0.0001 }"); // 3,702 addresses
  await apply("ipv4: { addresses: 1, agents: 1 }", { canary: { group: "default", seconds: 3_600 }, isApproved: false });
  const attackers = Array.from({ length: 20 }, (_, at) => sightingOf(ledger, `198.50.${at}.1`));
  await ledger.commitSightings(batchOf(ledger, 1, 1, attackers));
  const newest = async () => (await newestPolicies(store.sql, 1))[0]?.rolledBack?.because;
  await untilDone(life, async () => (await newest()) !== undefined);
  assert.match((await newest()) ?? "", /^alarm: it would change much at once: list fleet: it would cover /);
  assert.deepEqual(
    (await listingTexts(store)).filter((text) => !text.startsWith("2 ")),
    [],
  );
});

test("a stored text that this program can't read is refused at the start", async (t) => {
  const { store, apply } = await openPolicyStage(t);
  await apply("");
  await store.sql`update policies set body = 'a_key_of_tomorrow: 1'`;
  const parts = { store, clock: systemClock, log: silentLog, retentionSeconds: RETENTION_SECONDS };
  await assert.rejects(openPolicies(parts), /a_key_of_tomorrow is no key of this file/);
});

async function untilDone(life: Parameters<typeof begin>[0], look: () => Promise<boolean>): Promise<void> {
  const stop = new AbortController();
  const running = runPolicies({ ...life, alarms: NO_ALARMS }, stop.signal).catch(() => undefined);
  await eventually("it is done", look);
  stop.abort(new Error("over"));
  await running;
}
