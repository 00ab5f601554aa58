import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import type { ServiceError } from "@grpc/grpc-js";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { feedAt } from "../feeds/feeds.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";

test("a feed is fetched by hand, shown, explained, and within its quota", async (t) => {
  const { coordinator, fake } = await withFeed(t, 200);
  const { admin } = coordinator;
  const fetched = await unary(admin, admin.fetchFeed, { feed: "abuseipdb" });
  assert.equal(fetched.outcome, "fetched: 200 listings changed");
  const { feeds } = await unary(admin, admin.listFeeds, { valueDays: 0 });
  assert.deepEqual(
    feeds.map(({ name, mode, entries, quotaLimit, quotaUsed, outcome }) => [
      name,
      mode,
      entries,
      quotaLimit,
      quotaUsed,
      outcome,
    ]),
    [["abuseipdb", "enforce", 200, 5, 1, "fetched"]],
  );
  const [page] = await admin.listListings({ list: "feeds", prefix: "", limit: 1 }).toArray();
  const { prefix, reasons } = page!.listings[0]!;
  assert.deepEqual(reasons, ["feed abuseipdb"]);
  const answer = await unary(admin, admin.explain, { prefix });
  assert.equal(answer.state, "listed");
  assert.deepEqual(answer.feeds, [`abuseipdb: ${prefix}, confidence 100`]);
  for (let call = 0; call < 6; call += 1) await unary(admin, admin.fetchFeed, { feed: "abuseipdb" });
  assert.equal(fake.calls("blacklist").length, 5);
  const { records } = await unary(admin, admin.listAudit, { limit: 1 });
  assert.deepEqual(
    records.map(({ act, subject }) => [act, subject]),
    [["feeds fetch", "abuseipdb"]],
  );
});

test("what a guardrail stopped is approved or rejected once, and each is in the audit log", async (t) => {
  const { coordinator, fake } = await withFeed(t, 400);
  const { admin, ledger } = coordinator;
  await unary(admin, admin.fetchFeed, { feed: "abuseipdb" });
  fake.setEntries(madeUpEntries(20));
  fake.advanceClock(2_000);
  fake.regenerate();
  assert.match((await unary(admin, admin.fetchFeed, { feed: "abuseipdb" })).outcome, /^held: /);
  const { holds } = await unary(admin, admin.listHolds, { resolved: false });
  assert.deepEqual(
    holds.map(({ holdNo, subject, resolution }) => [holdNo, subject, resolution]),
    [[1, "feed abuseipdb", ""]],
  );
  assert.equal((await unary(admin, admin.getStatus, {})).holds, 1);
  const approved = await unary(admin, admin.resolveHold, { holdNo: 1, approve: true, reason: "they cleaned up" });
  assert.match(approved.done[0]!, /^feed abuseipdb: 20 entries are in force/);
  assert.equal(approved.hold?.resolution, "approved");
  const { records } = await unary(admin, admin.listAudit, { limit: 1 });
  assert.deepEqual(
    records.map(({ act, subject, reason }) => [act, subject, reason]),
    [["holds approve", "hold 1, feed abuseipdb", "they cleaned up"]],
  );
  await until("the short list", () => ledger.lists().find(({ list }) => list.list === LIST_FEEDS)!.listings === 20);
  const again = unary(admin, admin.resolveHold, { holdNo: 1, approve: false, reason: "" });
  await assert.rejects(again, ({ details }: ServiceError) => details === "hold 1: is not open");
});

test("an agent's claim on a listed address is held; approved, the address is protected", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin, ledger } = coordinator;
  await unary(admin, admin.ban, { prefix: "8.8.8.8", seconds: 0, reason: "", waitMs: 0, dryRun: false, yes: false });
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  await agent.connect({ addresses: [Buffer.from([8, 8, 8, 8])] });
  const { holds } = await unary(admin, admin.listHolds, { resolved: false });
  assert.deepEqual(
    holds.map(({ subject }) => subject),
    ["claim 8.8.8.8 of web1"],
  );
  assert.deepEqual(ledger.protectedAddresses(), []);
  const answer = await unary(admin, admin.resolveHold, { holdNo: holds[0]!.holdNo, approve: true, reason: "ours" });
  assert.deepEqual(answer.done, ["8.8.8.8 is protected from now on", `hold ${holds[0]!.holdNo} is approved`]);
  assert.deepEqual(
    ledger.protectedAddresses().map(({ address, origin }) => [address, origin]),
    [["8.8.8.8", "approved"]],
  );
  await unary(admin, admin.revokeAgent, { agent: "web1", reason: "" });
  assert.deepEqual(ledger.protectedAddresses(), []);
});

async function withFeed(t: TestContext, entries: number) {
  const fake = await startFakeAbuseIpdb({ entries: madeUpEntries(entries) });
  t.after(() => fake.close());
  const coordinator: TestCoordinator = await startCoordinator(t, { feeds: [feedAt(fake.url)] });
  return { coordinator, fake };
}
