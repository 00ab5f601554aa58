import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FEEDS, LIST_FLEET, listNo, RANK, type Rank } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import type { Hits } from "@fleetban/proto/wire/fleet";
import { encodePrefixes } from "@fleetban/proto/wire/prefixes";
import type { Agent } from "../fleet/agent.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger, Reason } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { createFeedShares } from "./feed-shares.ts";
import { createHitTotals } from "./hit-totals.ts";
import { deleteOldHits } from "./queries.ts";
import { writeCounting, writeHits } from "./write-hits.ts";

const [ONE, OTHER, FED] = ["45.83.64.1", "2a01:4f8::/64", "45.83.64.3"].map(parsePrefix) as [Prefix, Prefix, Prefix];

test("packets add up by day: a total a list and rank, and a sum a prefix with the agents that tell of it", async (t) => {
  const { store, list, hear, write } = await started(t);
  await list(LIST_FLEET, [ONE, OTHER], RANK.fleet);
  hear(1, LIST_FLEET, RANK.fleet, 12, [
    [ONE, 7],
    [OTHER, 5],
  ]);
  hear(2, LIST_FLEET, RANK.fleet, 3, [[ONE, 3]]);
  await write();
  hear(3, LIST_FLEET, RANK.fleet, 1, [[ONE, 1]]);
  await write();
  assert.deepEqual(await totals(store), [{ list_no: 2, rank: 2, feed_no: 0, packets: 16, bytes: 960 }]);
  const rows = await store.sql`select prefix::text, packets, agents from hits order by packets`;
  assert.deepEqual(
    [...rows],
    [
      { prefix: "2a01:4f8::/64", packets: 5, agents: 1 },
      { prefix: "45.83.64.1/32", packets: 11, agents: 3 },
    ],
  );
});

test("a prefix that is not listed and a list that the agent was not given leave no trace", async (t) => {
  const { store, hear, write } = await started(t);
  hear(1, LIST_FLEET, RANK.fleet, 1, [[ONE, 1]]);
  hear(1, listNo(77), RANK.fleet, 1, [[ONE, 1]]);
  await write();
  assert.deepEqual([...(await store.sql`select prefix from hits`)], []);
  assert.deepEqual(
    (await totals(store)).map(({ list_no }) => list_no),
    [2],
  );
});

test("packets of the list of feeds are owed to its feeds", async (t) => {
  const { store, list, hear, write } = await started(t);
  const [first, second] = [await feed(store, "first"), await feed(store, "second")];
  await list(LIST_FEEDS, [ONE], RANK.feedHigh, [first]);
  await list(LIST_FEEDS, [FED], RANK.feedHigh, [first, second]);
  hear(1, LIST_FEEDS, RANK.feedHigh, 30, [[FED, 10]]); // the other 20 by listings: 1.5 to 0.5
  await write();
  const owed = (await totals(store)).map(({ feed_no, packets }) => [feed_no, packets]);
  assert.deepEqual(owed, [
    [first, 20],
    [second, 10],
  ]);
});

test("the only feed is owed all of it", async (t) => {
  const { store, hear, write } = await started(t);
  const only = await feed(store, "only");
  hear(1, LIST_FEEDS, RANK.feedHigh, 30, []);
  await write();
  assert.deepEqual(
    (await totals(store)).map(({ feed_no, packets }) => [feed_no, packets]),
    [[only, 30]],
  );
});

test("what could not be written is written later, once; what perhaps was is not written again", async (t) => {
  const { store, hear, hits } = await started(t);
  const shares = createFeedShares({ monotonicMs: () => 0 });
  const failing = (code: string): Pick<Store, "transaction"> => ({
    async transaction() {
      throw Object.assign(new Error("the database is away"), { code });
    },
  });
  hear(1, LIST_FLEET, RANK.fleet, 4, []);
  await assert.rejects(writeHits({ store: failing("ECONNREFUSED"), shares }, hits));
  hear(1, LIST_FLEET, RANK.fleet, 1, []);
  await writeHits({ store, shares }, hits);
  hear(1, LIST_FLEET, RANK.fleet, 9, []);
  await assert.rejects(writeHits({ store: failing("commit-unknown"), shares }, hits));
  await writeHits({ store, shares }, hits);
  assert.equal((await totals(store))[0]?.packets, 5);
  assert.equal(hits.packets.get(LIST_FLEET), 14);
});

test("old days are forgotten", async (t) => {
  const { store, list, hear, write } = await started(t);
  await list(LIST_FLEET, [ONE], RANK.fleet);
  hear(1, LIST_FLEET, RANK.fleet, 4, [[ONE, 4]]);
  await write();
  await store.sql`insert into hits (day, list_no, prefix, packets, bytes, agents, last_at)
    select day - 91, list_no, prefix, packets, bytes, agents, last_at from hits`;
  await store.sql`insert into hit_totals (day, list_no, rank, packets, bytes)
    select day - 401, list_no, rank, packets, bytes from hit_totals`;
  await deleteOldHits(store.sql, 90, 400);
  const [left] = await store.sql<{ hits: number; totals: number }[]>`
    select (select count(*) from hits)::int as hits, (select count(*) from hit_totals)::int as totals`;
  assert.deepEqual({ ...left }, { hits: 1, totals: 1 });
});

test("an agent counts from when it says so, until it says that it does not", async (t) => {
  const { store } = await started(t);
  const agentNo = await agent(store);
  const says = (countsHits: boolean) => writeCounting(store.sql, [{ agentNo, health: { countsHits } }]);
  const row = async () =>
    (
      await store.sql<{ since: Date; at: number }[]>`
        select counting_since as since, extract(epoch from counted_at)::float8 as at from hit_counting`
    )[0];
  await says(true);
  const first = (await row())!;
  await says(true);
  const later = (await row())!;
  assert.deepEqual([later.since, later.at > first.at], [first.since, true]);
  await writeCounting(store.sql, [{ agentNo, health: undefined }]);
  assert.notEqual(await row(), undefined);
  await says(false);
  assert.equal(await row(), undefined);
});

test("one that names prefixes without end takes nobody's room, and its silence says nothing from then on", async (t) => {
  const { store, list, hear, write } = await started(t);
  await list(LIST_FLEET, [ONE], RANK.fleet);
  const [flooding, honest] = [await agent(store, "web1"), await agent(store, "web2")];
  const counting = [flooding, honest].map((agentNo) => ({ agentNo, health: { countsHits: true } }));
  await writeCounting(store.sql, counting);
  for (let at = 0; at < 30; at += 1) {
    const made = Array.from({ length: 1_000 }, (_, index) => parsePrefix(`46.${at}.${index >> 8}.${index & 255}`));
    hear(
      flooding,
      LIST_FLEET,
      RANK.fleet,
      1,
      made.map((prefix): [Prefix, number] => [prefix, 1]),
    );
  }
  hear(honest, LIST_FLEET, RANK.fleet, 2, [[ONE, 2]]);
  await write();
  assert.deepEqual((await store.sql`select prefix::text, packets, agent_nos from hits`)[0], {
    ...{ prefix: "45.83.64.1/32", packets: 2, agent_nos: [honest] },
  });
  const rows = await store.sql<{ agent_no: number }[]>`select agent_no from hit_counting`;
  assert.deepEqual(
    rows.map((row) => row.agent_no),
    [honest],
  );
});

function totals(store: Store) {
  return store.sql<{ list_no: number; rank: number; feed_no: number; packets: number; bytes: number }[]>`
    select list_no, rank, feed_no, packets, bytes from hit_totals order by list_no, rank, feed_no`.then((rows) => [
    ...rows,
  ]);
}

async function feed(store: Store, name: string): Promise<number> {
  const [row] = await store.sql<{ feed_no: number }[]>`
    insert into feeds (name, kind, stale_after_seconds) values (${name}, 'abuseipdb', 3600) returning feed_no`;
  return row!.feed_no;
}

async function agent(store: Store, name = "web1"): Promise<number> {
  const [row] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), ${name}) returning agent_no`;
  return row!.agent_no;
}

async function started(t: Parameters<typeof createTestDatabase>[0]) {
  const { store } = await createTestDatabase(t);
  const ledger: Ledger = await openTestLedger(t, store);
  const hits = createHitTotals();
  const shares = createFeedShares({ monotonicMs: () => 0 });
  const group = { name: "default", lists: new Set([LIST_FLEET, LIST_FEEDS]), settings: {} };
  return {
    ...{ store, ledger, hits },
    async list(no: typeof LIST_FLEET, prefixes: readonly Prefix[], rank: Rank, feeds: readonly number[] = []) {
      const reasons: Reason[] = feeds.map((feedNo) => ({ kind: "feed", key: String(feedNo) }));
      const until = Math.ceil(ledger.ledgerTimeMs() / 1_000 + 3_600) as never;
      await ledger.write({ kind: "feed" }, async () =>
        prefixes.map((prefix) => ({ list: no, prefix, to: { until, rank, reasons } })),
      );
    },
    hear(agentNo: number, no: typeof LIST_FLEET, rank: Rank, packets: number, named: readonly [Prefix, number][]) {
      const from = { agentNo, group } as unknown as Agent;
      hits.add(from, report(no, rank, packets, named));
    },
    write: () => writeHits({ store, shares }, hits),
  };
}

/** Named in the order of the columns: IPv4 first. */
function report(list: number, rank: number, packets: number, named: readonly [Prefix, number][]): Hits {
  const counts = named.map(([, count]) => count);
  return {
    ...{ sinceMs: 0, untilMs: 1 },
    totals: [{ list, rank, packets, bytes: packets * 60 }],
    top: [
      {
        list,
        prefixes: encodePrefixes(prefixColumns(named.map(([prefix]) => prefix))),
        packets: counts,
        bytes: counts.map((count) => count * 60),
      },
    ],
  };
}
