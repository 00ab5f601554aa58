import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LIST_FLEET, LIST_TRIAL } from "@fleetban/proto/model/listing";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";

const LONG = { confirmSeconds: 0, canaryGroup: "canary", canarySeconds: 3_600 };
/** Weighs what the default leaves unlisted. */
const STRICTER = "weights: { forgeable: 1 }";

test("what a policy on trial would add only the canary group has; after its time without alarm all have it", async (t) => {
  const { coordinator, canary, other, apply, statusOf } = await stage(t);
  await apply({ canarySeconds: 3_600 });
  await until("the trial at the canary", () => canary.listed(LIST_TRIAL).includes("198.50.0.1"));
  assert.deepEqual(other.listed(LIST_FLEET), []);
  assert.equal((await statusOf(1)).state, "trial");
  await coordinator.store.sql`update policies set canary_until = clock_timestamp()`;
  await until("the policy in force", async () => (await statusOf(1)).settled);
  await until("the listing everywhere", () => [canary, other].every((agent) => agent.listed(LIST_FLEET).length === 1));
  await until("the end of the trial's list", () => canary.received.includes("list 5 removed"));
  assert.equal(
    other.received.some((what) => /^(?:lists\b.*|list|snapshot|delta) 5\b/.test(what)),
    false,
  );
  const onTrial = () => coordinator.ledger.lists().find(({ list }) => list.list === LIST_TRIAL)?.listings;
  await until("nothing is on trial any more", () => onTrial() === 0);
});

test("an operator's alarm ends a trial, and it is taken off the canary group", async (t) => {
  const { coordinator, canary, other, apply, statusOf } = await stage(t);
  await apply(LONG);
  await until("the trial at the canary", () => canary.listed(LIST_TRIAL).length === 1);
  const { admin } = coordinator;
  const alarmed = await unary(admin, admin.alarmPolicy, { reason: "customers call" });
  assert.deepEqual(alarmed.done, ["the trial of policy 1 is over: alarm: customers call", "the defaults hold"]);
  await until("the end of the trial's list", () => canary.received.includes("list 5 removed"));
  assert.deepEqual([canary.listed(LIST_FLEET), other.listed(LIST_FLEET)], [[], []]);
  const { state, rolledBackBy, rolledBackBecause } = await statusOf(1);
  assert.deepEqual([state, rolledBackBy, rolledBackBecause], ["rolled-back", "(unknown)", "alarm: customers call"]);
  const refused = unary(admin, admin.alarmPolicy, { reason: "again" });
  await assert.rejects(refused, /no policy is on trial/);
});

test("a login from an address that the trial lists is an alarm", async (t) => {
  const { canary, apply, statusOf } = await stage(t);
  await apply(LONG);
  await until("the trial at the canary", () => canary.listed(LIST_TRIAL).length === 1);
  canary.send(loggedInFrom("9.9.9.9, 198.50.0.1"));
  await until("the alarm", async () => (await statusOf(1)).state === "rolled-back");
  const { rolledBackBecause, rolledBackBy } = await statusOf(1);
  assert.deepEqual(
    [rolledBackBy, rolledBackBecause],
    ["policy", "alarm: somebody logged in on web1 from 198.50.0.1, which the trial lists"],
  );
});

test("unconfirmed it goes back by itself, confirmed it stays", async (t) => {
  const { coordinator, other, apply, statusOf } = await stage(t);
  const { admin, store } = coordinator;
  const timeIsOver = (policyNo: number) =>
    store.sql`update policies set confirm_by = clock_timestamp() where policy_no = ${policyNo}`;
  await apply({ confirmSeconds: 600 });
  await until("the listing", () => other.listed(LIST_FLEET).length === 1);
  await timeIsOver(1);
  await until("the way back", async () => (await statusOf(1)).state === "rolled-back");
  await until("the listing gone", () => other.listed(LIST_FLEET).length === 0);
  assert.equal((await statusOf(1)).rolledBackBecause, "not confirmed within 10m");

  await apply({ confirmSeconds: 600 });
  await unary(admin, admin.confirmPolicy, { reason: "" });
  await timeIsOver(2);
  await until("its time to be over, and two looks more", async () => {
    const [row] = await store.sql<{ over: boolean }[]>`
      select clock_timestamp() > confirm_by + interval '2.5 s' as over from policies where policy_no = 2`;
    return row?.over === true;
  });
  assert.equal((await statusOf(2)).state, "in-force");
});

test("a trial that is confirmed is in force for all at once; one without agents is refused", async (t) => {
  const { coordinator, other, apply, statusOf } = await stage(t);
  const { admin, store } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('empty', '{1,2,3,4}')`;
  await assert.rejects(apply({ ...LONG, canaryGroup: "empty" }), /group empty: has no agents/);
  await assert.rejects(apply({ ...LONG, canaryGroup: "none" }), /group none: there is none of that name/);
  await apply(LONG);
  await assert.rejects(apply(LONG), /policy 1 is on trial/);
  const confirmed = await unary(admin, admin.confirmPolicy, { reason: "" });
  assert.deepEqual(confirmed.done, ["policy 1 is confirmed: its trial is over, it is in force for all"]);
  await until("the listing", () => other.listed(LIST_FLEET).length === 1);
  assert.equal((await statusOf(1)).state, "in-force");
});

test("a text that no terminal and no store should have, or that takes long to read, is refused", async (t) => {
  const { admin } = await startCoordinator(t);
  const mistakes = async (body: string) => (await unary(admin, admin.checkPolicy, { body, file: "p.yaml" })).mistakes;
  for (const bad of ["\0", "\x1b]52;c;eA\x07"]) {
    assert.deepEqual(await mistakes(`packs: []\r\n# fine\t${bad}\n`), [
      { line: 2, key: "", problem: "has a control character; remove it" },
    ]);
  }
  const long = "# as long as a book\n".repeat(6_000);
  await assert.rejects(mistakes(long), /a policy of 120000 characters: at most 100000/);
});

/** Two agents, one of them the canary; an address that the default policy has sighted and not listed. */
async function stage(t: TestContext) {
  const coordinator = await startCoordinator(t);
  const { admin, store } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('canary', '{1,2,3,4}')`;
  const [one, two] = [await coordinator.enroll("web1"), await coordinator.enroll("web2")];
  await store.sql`update agents set agent_group = 'canary' where name = 'web1'`;
  const [canary, other] = [new TestAgent(coordinator.fleetClient(one)), new TestAgent(coordinator.fleetClient(two), 2)];
  await Promise.all([canary.connect(), other.connect()]);
  await sightForged(coordinator);
  const request = { body: STRICTER, file: "p.yaml", days: 0, confirmSeconds: 0, canaryGroup: "", canarySeconds: 0 };
  return {
    ...{ coordinator, canary, other },
    apply: (wish: Partial<typeof request>) => {
      const group = wish.canarySeconds !== undefined ? { canaryGroup: "canary" } : {};
      return unary(admin, admin.applyPolicy, { ...request, ...group, ...wish, reason: "", yes: false, limit: 0 });
    },
    statusOf: async (policyNo: number) => (await unary(admin, admin.showPolicy, { policyNo })).policy!,
  };
}

async function sightForged({ ledger }: TestCoordinator): Promise<void> {
  const sighting = sightingOf(ledger, "198.50.0.1", { jail: "nginx-limit-req", banSeconds: 3_600 });
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sighting]));
  assert.equal(ledger.lists().find(({ list }) => list.list === LIST_FLEET)?.listings, 0);
}

function loggedInFrom(detail: string) {
  const warnables = [{ code: "login-from-listed", sinceMs: Date.now(), detail }];
  const nothing = { spoolSightings: 0, spoolOldestMs: 0, lostSightings: 0, batchEntries: 0, applyP99Us: 0 };
  const health = {
    ...nothing,
    warnables,
    clockSkewMs: 0,
    ownEntries: 0,
    localEntries: 0,
    sources: [],
    countsHits: false,
  };
  return { kind: { $case: "health" as const, value: health } };
}
