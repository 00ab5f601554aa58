import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LIST_EXEMPT, LIST_FEEDS, LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { untilAfter } from "@fleetban/proto/model/until";
import type { ServiceError } from "@grpc/grpc-js";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import type { FeedMode } from "../feeds/feed.ts";
import { feedAt } from "../feeds/feeds.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";
import { outcomes } from "../ledger/sightings.fixture.ts";
import { parsePack } from "./pack.ts";
import { missingPacks, type PacksParts, syncPacks } from "./sync-packs.ts";

const ACT = { seconds: 0, reason: "", waitMs: 0, dryRun: false, yes: false };
const signal = new AbortController().signal;
const RESOLVER = parsePrefix("8.8.8.8");

test("a pack is enforced like the allowlist: what is listed of it goes, and nobody lists it again", async (t) => {
  const { coordinator, packs, chosen } = await withPacks(t);
  const { admin, ledger, store } = coordinator;
  await unary(admin, admin.ban, { ...ACT, prefix: "8.8.8.8" });
  await unary(admin, admin.ban, { ...ACT, prefix: "8.8.0.0/16", yes: true });
  await until("both are listed", () => ledger.get(LIST_FLEET, parsePrefix("8.8.0.0/16")) !== undefined);
  chosen.push("public-resolvers");
  const [synced] = await syncPacks(packs, signal);
  assert.ok(synced!.added > 40);
  assert.deepEqual(await syncPacks(packs, signal), []); // once is enough
  await until("the resolver is exempt", () => ledger.get(LIST_EXEMPT, RESOLVER)?.rank === 0);
  assert.equal(ledger.get(LIST_FLEET, RESOLVER), undefined);
  assert.notEqual(ledger.get(LIST_FLEET, parsePrefix("8.8.0.0/16")), undefined); // around it: the exempt entry is a hole
  const agent = await connected(coordinator);
  agent.sight(["8.8.8.8", "45.83.64.9"], 1);
  await until("the other is listed", () => ledger.get(LIST_FLEET, parsePrefix("45.83.64.9")) !== undefined);
  assert.deepEqual(await outcomes(store), { allowed: 1, counted: 1 });
  const banned = unary(admin, admin.ban, { ...ACT, prefix: "8.8.8.8" });
  await assert.rejects(
    banned,
    ({ details }: ServiceError) => details === "prefix 8.8.8.8: is in never-ban pack public-resolvers",
  );
});

test("a pack's prefixes are not an operator's own: listed and removed as a pack only, and an own allow stays", async (t) => {
  const { coordinator, packs, chosen } = await withPacks(t);
  const { admin, ledger, store } = coordinator;
  chosen.push("public-resolvers");
  await syncPacks(packs, signal);
  assert.deepEqual((await unary(admin, admin.listAllowlist, { ended: true })).acts, []);
  const removed = unary(admin, admin.removeAllowed, { what: "8.8.8.8", reason: "", waitMs: 0 });
  await assert.rejects(
    removed,
    ({ details }: ServiceError) => details === "prefix 8.8.8.8: is in never-ban pack public-resolvers",
  );
  await unary(admin, admin.allow, { ...ACT, prefix: "8.8.8.8", reason: "ours" });
  const { packs: listed } = await unary(admin, admin.listPacks, {});
  const resolvers = listed.find(({ name }) => name === "public-resolvers")!;
  assert.deepEqual([resolvers.chosen, resolvers.dateInForce === resolvers.date, listed.length], [true, true, 8]);
  chosen.pop();
  const [ended] = await syncPacks(packs, signal);
  assert.ok(ended!.removed > 40);
  await until("the other resolver is not exempt any more", () => !ledger.get(LIST_EXEMPT, parsePrefix("8.8.4.4")));
  assert.notEqual(ledger.get(LIST_EXEMPT, RESOLVER), undefined);
  assert.deepEqual(
    (await unary(admin, admin.listAllowlist, { ended: false })).acts.map(({ prefix, pack }) => [prefix, pack]),
    [["8.8.8.8", ""]],
  );
  const rows = await store.sql<{ act: string }[]>`select act from audit_log where role = 'policy' order by audit_no`;
  assert.deepEqual(
    rows.map(({ act }) => act),
    ["packs apply", "packs end"],
  );
});

test("however much is listed in what is allowed or comes with a pack, all of it is taken off", async (t) => {
  const { coordinator, chosen } = await withPacks(t);
  const { admin, ledger } = coordinator;
  const listMany = async (net: string) => {
    for (let slice = 0; slice < 3; slice += 1) {
      await ledger.write({ kind: "feed" }, async (_, now) =>
        Array.from({ length: 1_400 }, (__, at) => ({
          list: LIST_FEEDS,
          prefix: parsePrefix(`${net}.${slice * 10 + Math.floor(at / 250)}.${at % 250}`),
          to: { until: untilAfter(now, 3_600), rank: RANK.feedHigh, reasons: [] },
        })),
      );
    }
  };
  const left = () => ledger.lists().find(({ list }) => list.list === LIST_FEEDS)!.listings;
  await listMany("45.83");
  await unary(admin, admin.allow, { ...ACT, prefix: "45.83.0.0/16" });
  assert.equal(left(), 0);
  await listMany("45.84");
  chosen.push("partners");
  const partners = parsePack("partners", "# title: P\n# source: https://p.test\n# date: 2026-01-01\n45.84.0.0/16\n");
  await syncPacks({ ...coordinator.packs, readPacks: async () => new Map([["partners", partners]]) }, signal);
  assert.equal(left(), 0);
});

test("a newer pack changes what changed, an older one nothing; one that is not there is told", async (t) => {
  const { coordinator, chosen } = await withPacks(t);
  const { store, ledger } = coordinator;
  chosen.push("partners", "nobody");
  const sync = (date: string, ...prefixes: string[]) => {
    const text = `# title: Partners\n# source: https://partners.test\n# date: ${date}\n${prefixes.join("\n")}\n`;
    const partners = parsePack("partners", text);
    return syncPacks({ ...coordinator.packs, readPacks: async () => new Map([["partners", partners]]) }, signal);
  };
  assert.deepEqual(await sync("2026-02-01", "5.5.5.0/24", "5.5.6.0/24"), [{ pack: "partners", added: 2, removed: 0 }]);
  assert.deepEqual(await sync("2026-01-01", "5.5.7.0/24"), []);
  assert.deepEqual(await sync("2026-03-01", "5.5.5.0/24", "5.5.8.0/24"), [{ pack: "partners", added: 1, removed: 1 }]);
  const exempt = () =>
    ["5.5.5.0/24", "5.5.6.0/24", "5.5.8.0/24"].map((one) => Boolean(ledger.get(LIST_EXEMPT, parsePrefix(one))));
  await until("the newer one is exempt", () => String(exempt()) === "true,false,true");
  assert.deepEqual(await missingPacks(store.sql, chosen), ["nobody"]);
});

test("a feed's first list that collides with a pack is held, and approved it lists the rest", async (t) => {
  const entries = [...madeUpEntries(200), { ...madeUpEntries(1)[0]!, ipAddress: "8.8.8.8" }];
  const fake = await startFakeAbuseIpdb({ entries });
  t.after(() => fake.close());
  const { coordinator, packs, chosen } = await withPacks(t, fake.url);
  const { admin, ledger } = coordinator;
  chosen.push("public-resolvers");
  await syncPacks(packs, signal);
  const { outcome } = await unary(admin, admin.fetchFeed, { feed: "abuseipdb" });
  assert.equal(outcome, "held: its first list collides with never-ban packs: public-resolvers (1: 8.8.8.8)");
  const { hold } = await unary(admin, admin.showHold, { holdNo: 1 });
  assert.match(hold!.details.join("\n"), /^in force: 0 prefixes\nheld: 201 prefixes\nnew: .* and 191 more\napprove: /);
  await unary(admin, admin.resolveHold, { holdNo: 1, approve: true, reason: "one resolver" });
  await until(
    "the rest is listed",
    () => ledger.lists().find(({ list }) => list.list === LIST_FEEDS)?.listings === 200,
  );
  assert.equal(ledger.get(LIST_FEEDS, RESOLVER), undefined);
  const { feeds } = await unary(admin, admin.listFeeds, { valueDays: 0 });
  assert.equal(feeds[0]!.collisions, "public-resolvers (1: 8.8.8.8)");
});

test("a feed that is only observed tells what it collides with, before it goes live", async (t) => {
  const entries = [...madeUpEntries(200), { ...madeUpEntries(1)[0]!, ipAddress: "8.8.8.8" }];
  const fake = await startFakeAbuseIpdb({ entries });
  t.after(() => fake.close());
  const { coordinator, packs, chosen } = await withPacks(t, fake.url, "observe");
  const { admin } = coordinator;
  chosen.push("public-resolvers");
  await syncPacks(packs, signal);
  await unary(admin, admin.allow, { ...ACT, prefix: entries[0]!.ipAddress });
  const { outcome } = await unary(admin, admin.fetchFeed, { feed: "abuseipdb" });
  assert.equal(outcome, "fetched: 0 listings changed");
  const { feeds } = await unary(admin, admin.listFeeds, { valueDays: 0 });
  const told = `allowed (1: ${entries[0]!.ipAddress}), public-resolvers (1: 8.8.8.8)`;
  assert.equal(feeds[0]!.collisions, told);
});

async function withPacks(t: TestContext, feedUrl?: string, mode: FeedMode = "enforce") {
  const chosen: string[] = [];
  const feeds = feedUrl === undefined ? [] : [{ ...feedAt(feedUrl), mode }];
  const coordinator = await startCoordinator(t, { packs: chosen, feeds });
  const packs: PacksParts = coordinator.packs;
  return { coordinator, packs, chosen };
}

async function connected(coordinator: TestCoordinator): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  await agent.connect();
  return agent;
}
