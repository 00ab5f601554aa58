import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { createTestDatabase } from "../store/test-database.ts";

test("a feed in force counts as one more agent; one that is observed, off or long gone does not", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { corroboration: 2, feedsCorroborate: true } });
  const [agent] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), 'one') returning agent_no`;
  const feeds = [
    ["45.1.1.1", "enforce", "1 minute"],
    ["45.1.1.2", "observe", "1 minute"],
    ["45.1.1.3", "off", "1 minute"],
    ["45.1.1.4", "enforce", "25 hours"],
  ] as const;
  for (const [address, mode, ago] of feeds) {
    await store.sql`
      with feed as (
        insert into feeds (name, kind, mode, stale_after_seconds, confirmed_at)
        values (${address}, 'list', ${mode}, 86400, clock_timestamp() - ${ago}::interval) returning feed_no)
      insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no) select feed_no, ${address}, 100, 1 from feed`;
  }
  const sightings = [...feeds.map(([address]) => address), "45.1.1.5"].map((address) => sightingOf(ledger, address));
  await ledger.commitSightings(batchOf(ledger, agent?.agent_no ?? 0, 1, sightings));
  const rows = await store.sql<{ address: string }[]>`
    select host(prefix) as address from listings where list_no = ${LIST_FLEET}`;
  assert.deepEqual(
    rows.map(({ address }) => address),
    ["45.1.1.1"],
  );
});
