/** A refresh is many commits: what may come between two of them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { entryMoves } from "./entry-moves.ts";
import { startFeeds, type TestFeeds } from "./feeds.fixture.ts";
import { inOrder } from "./in-order.ts";
import type { FeedsParts } from "./parts.ts";
import { insertFetch, replaceFeedEntries, selectFeedEntries } from "./queries.ts";
import { refreshFeeds } from "./refresh.ts";

const ENTRIES = 5_000; // three slices
const signal = new AbortController().signal;

test("a refresh that was interrupted is finished by the next turn, without a call", async (t) => {
  const stopping = new AbortController();
  const { feeds, parts } = await startSliced(t, 2, async () => stopping.abort(new Error("stopped")));
  await assert.rejects(refreshFeeds(parts, stopping.signal), /stopped/);
  assert.equal((await feeds.listed()).listings.size, 4_000);
  await refreshFeeds(feeds.parts, signal);
  assert.equal((await feeds.listed()).listings.size, 4_000, "the lease of the one that stopped still holds");
  await feeds.expireLease();
  await refreshFeeds(feeds.parts, signal);
  assert.equal((await feeds.listed()).listings.size, ENTRIES);
  assert.equal(feeds.fake.calls("blacklist").length, 1);
});

test("a turn that has lost its lease lists nothing more", async (t) => {
  const { feeds, parts } = await startSliced(t, 1, async ({ store }) => {
    await store.sql`update feeds set leased_by = 'another', leased_until = clock_timestamp() + interval '1 minute'`;
  });
  await refreshFeeds(parts, signal);
  assert.equal((await feeds.listed()).listings.size, 2_000);
  const [row] = await feeds.store.sql`select leased_by from feeds`;
  assert.equal(row!.leased_by, "another");
});

test("a newer list that comes in between is the one that is listed in the end", async (t) => {
  const newer = madeUpEntries(3_000, 7).map(({ ipAddress }) => ({ prefix: parsePrefix(ipAddress), confidence: 100 }));
  const { feeds, parts } = await startSliced(t, 1, async ({ store, now }) => {
    await store.transaction(async (sql) => {
      const fetchNo = await insertFetch(sql, {
        feedNo: 1,
        fetchedAt: now(),
        entries: newer.length,
        outcome: "fetched",
      });
      await replaceFeedEntries(sql, 1, fetchNo, entryMoves(await selectFeedEntries(sql, 1), newer));
    });
  });
  await refreshFeeds(parts, signal);
  const { listings } = await feeds.listed();
  assert.equal(listings.size, 3_000);
  for (const { prefix } of newer.filter(({ prefix }) => !prefix.includes(":"))) assert.ok(listings.has(prefix), prefix);
});

test("a pardon that comes in between is kept", async (t) => {
  const addresses = madeUpEntries(ENTRIES).map(({ ipAddress }) => parsePrefix(ipAddress));
  const pardoned = inOrder(addresses, (address) => address).findLast((address) => !address.includes(":"))!; // listed last
  const { feeds, parts } = await startSliced(t, 1, async ({ store }) => {
    await store.sql`
      insert into pardons (prefix, until, reason, author, begun_at)
      values (${pardoned}, clock_timestamp() + interval '1 day', 'mistake', 'ann', clock_timestamp())`;
  });
  await refreshFeeds(parts, signal);
  const { listings } = await feeds.listed();
  assert.equal(listings.has(pardoned), false);
  assert.equal(listings.size, ENTRIES - 1);
});

/** `between` runs after the slice of that number. */
async function startSliced(
  t: TestContext,
  slice: number,
  between: (feeds: TestFeeds) => Promise<void>,
): Promise<{ feeds: TestFeeds; parts: FeedsParts }> {
  const feeds = await startFeeds(t, { entries: madeUpEntries(ENTRIES) });
  let slices = 0;
  const ledger: FeedsParts["ledger"] = {
    lists: () => feeds.ledger.lists(),
    ledgerTimeMs: () => feeds.ledger.ledgerTimeMs(),
    protectedAddresses: () => feeds.ledger.protectedAddresses(),
    async write(...request) {
      const written = await feeds.ledger.write(...request);
      if (written.changed > 0) slices += 1;
      if (written.changed > 0 && slices === slice) await between(feeds);
      return written;
    },
  };
  return { feeds, parts: { ...feeds.parts, ledger } };
}
