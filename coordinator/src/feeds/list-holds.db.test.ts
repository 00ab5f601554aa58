/** The brake on the change of a whole list, where no feed's own fetch was to blame. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { answerListHold } from "../guardrails/list-holds.ts";
import { startFeeds, type TestFeeds } from "./feeds.fixture.ts";
import { refreshFeeds } from "./refresh.ts";

const signal = new AbortController().signal;

test("a feed's entries that vanish from the database take nothing off, until an operator says so", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(400) });
  await feeds.refresh();
  await feeds.store.sql`delete from feed_prefixes where prefix <> (select min(prefix) from feed_prefixes)`;
  await sync(feeds);
  assert.equal((await feeds.listed()).listings.size, 400);
  assert.deepEqual(await openHolds(feeds), ["it falls from 400 listings to 1 at once"]);
  await sync(feeds); // not asked twice
  assert.equal((await openHolds(feeds)).length, 1);
  await answerListHold(feeds.store.sql, 1, "ann", "approved");
  await sync(feeds);
  assert.equal((await feeds.listed()).listings.size, 1);
  const [row] = await feeds.store.sql<{ approved: boolean }[]>`
    select approved from revisions where list_no = ${LIST_FEEDS} order by revision desc limit 1`;
  assert.equal(row!.approved, true); // agents' own brakes let it pass, too
});

test("while what would go waits, what is new is listed and what is there goes on", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(400) });
  await feeds.refresh();
  const before = await feeds.listed();
  await feeds.store.sql`delete from feed_prefixes`;
  await name(feeds, "45.91.7.1");
  await sync(feeds);
  const { listings } = await feeds.listed();
  assert.equal(listings.has(parsePrefix("45.91.7.1")), true);
  assert.equal(listings.size, before.listings.size + 1);
});

test("a list that would cover too much of the internet waits with that, and drops what is named no more", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(40) });
  await feeds.refresh();
  await feeds.store.sql`delete from feed_prefixes where prefix = (select min(prefix) from feed_prefixes)`;
  await name(feeds, "20.0.0.0/8", "21.0.0.0/8", "22.0.0.0/8", "23.0.0.0/8", "24.0.0.0/8");
  await sync(feeds);
  const { listings } = await feeds.listed();
  assert.equal(listings.size, 39);
  assert.equal(listings.has(parsePrefix("20.0.0.0/8")), false);
  assert.deepEqual(await openHolds(feeds), ["it would cover 2.3 % of the public IPv4 addresses"]);
  await feeds.store.sql`delete from feed_prefixes where prefix = '24.0.0.0/8'`; // the publisher thought better of it
  await sync(feeds);
  assert.deepEqual(await openHolds(feeds), []);
  assert.equal((await feeds.listed()).listings.size, 43);
});

/** What the job does after a run that did not end: it brings the list to what the feeds name. */
async function sync(feeds: TestFeeds): Promise<void> {
  await feeds.expireLease();
  await refreshFeeds(feeds.parts, signal);
}

async function name({ store }: TestFeeds, ...prefixes: string[]): Promise<void> {
  await store.sql`
    insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no)
    select feed_no, prefix, 100, 1 from feeds, unnest(${prefixes}::cidr[]) as t(prefix)`;
}

async function openHolds({ store }: TestFeeds): Promise<string[]> {
  const rows = await store.sql<{ reason: string }[]>`
    select reason from holds where subject = 'list' and resolved_at is null order by hold_no`;
  return rows.map(({ reason }) => reason);
}
