import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { countOverlaps } from "./count-overlaps.ts";
import { overlapsByFeed } from "./overlap-queries.ts";

test("an offender is a feed's when the feed named it, or a network around it, before its first attempt", async (t) => {
  const { store, sight, count } = await started(t);
  const early = await feed(store, "early", "1 hour", [
    ["45.1.1.1", 100],
    ["45.1.2.0/24", 50],
    ["2a01:1:1:1::5", 100],
  ]);
  const late = await feed(store, "late", "-1 hour", [["45.1.1.1", 100]]);
  await sight(["45.1.1.1", "45.1.2.77", "2a01:1:1:1::9", "45.9.9.9"]);
  assert.deepEqual(await count(), [
    { feedNo: 0, rank: 0, offenders: 4 },
    { feedNo: early, rank: 3, offenders: 2 },
    { feedNo: early, rank: 8, offenders: 1 },
  ]);
  assert.equal(
    (await overlapsByFeed(store.sql, 30)).some(({ feedNo }) => feedNo === late),
    false,
  );
});

test("each offender counts once: not when it comes again, nor when it is counted again", async (t) => {
  const { store, sight, count } = await started(t);
  const early = await feed(store, "early", "1 hour", [["45.1.1.1", 100]]);
  await sight(["45.1.1.1"]);
  const once = [
    { feedNo: 0, rank: 0, offenders: 1 },
    { feedNo: early, rank: 3, offenders: 1 },
  ];
  assert.deepEqual(await count(), once);
  assert.deepEqual(await count(), once);
  await sight(["45.1.1.1"]);
  assert.deepEqual(await count(), once);
});

test("of two replicas that count at once, one does", async (t) => {
  const { store, sight } = await started(t);
  await sight(["45.1.1.1", "45.1.1.2"]);
  await age(store);
  await Promise.all([countOverlaps(store), countOverlaps(store), countOverlaps(store)]);
  assert.deepEqual(await overlapsByFeed(store.sql, 30), [{ feedNo: 0, rank: 0, offenders: 2 }]);
});

async function started(t: Parameters<typeof createTestDatabase>[0]) {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await store.sql`update feed_overlaps_until set counted_until = clock_timestamp() - interval '1 day'`;
  const [agent] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), 'one') returning agent_no`;
  let seq = 1;
  return {
    store,
    async sight(addresses: readonly string[]) {
      const sightings = addresses.map((address) => {
        return sightingOf(ledger, address, { bannedAtMs: Math.floor(ledger.ledgerTimeMs()) - seq * 10_000 });
      });
      await ledger.commitSightings(batchOf(ledger, agent?.agent_no ?? 0, seq, sightings));
      seq += addresses.length;
    },
    async count() {
      await age(store);
      await countOverlaps(store);
      return await overlapsByFeed(store.sql, 30);
    },
  };
}

/** As if what is there had come two minutes ago. */
async function age(store: Store): Promise<void> {
  await store.sql`update sightings set received_at = received_at - interval '2 minutes'`;
}

/** A feed whose entries came so long ago. */
async function feed(store: Store, name: string, ago: string, entries: readonly (readonly [string, number])[]) {
  const [row] = await store.sql<{ feed_no: number }[]>`
    insert into feeds (name, kind, stale_after_seconds, mode) values (${name}, 'list', 86400, 'observe') returning feed_no`;
  const feedNo = row?.feed_no ?? 0;
  const [fetch] = await store.sql<{ fetch_no: number }[]>`
    insert into feed_fetches (feed_no, fetched_at, outcome)
    values (${feedNo}, clock_timestamp() - ${ago}::interval, 'fetched') returning fetch_no`;
  for (const [text, confidence] of entries) {
    await store.sql`
      insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no)
      values (${feedNo}, ${parsePrefix(text)}, ${confidence}, ${fetch?.fetch_no ?? 0})`;
  }
  return feedNo;
}
