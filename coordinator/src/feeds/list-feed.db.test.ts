/** Lists by URL and by file, from the definition to the ledger: asked for only when new, paced, moved, aged out. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { defineFeeds } from "./define-feeds.ts";
import { feedsJobs } from "./feeds-jobs.ts";
import { mmdbOf } from "./formats/mmdb.fixture.ts";
import { goodList, listFeed, startListFeed } from "./list-feed.fixture.ts";
import { refreshFeed, refreshFeeds } from "./refresh.ts";

const signal = new AbortController().signal;

test("what was taken is asked for only if it has changed, and a list that has not lives on", async (t) => {
  const feed = await startListFeed(t);
  const dated = { etag: '"one"', "last-modified": "Fri, 20 Nov 2026 10:00:00 GMT" };
  await feed.fetched({ body: goodList(), headers: dated });
  await feed.store.sql`update feeds set confirmed_at = confirmed_at - interval '20 hours'`;
  await feed.store.sql`update listings set until = until - interval '20 hours' where list_no = ${LIST_FEEDS}`;
  const before = await feed.listed();
  assert.deepEqual(await feed.fetched({ status: 304 }), { outcome: "unchanged", changed: 200 });
  const asked = feed.publisher.requests.at(-1);
  assert.deepEqual([asked?.["if-none-match"], asked?.["if-modified-since"]], ['"one"', dated["last-modified"]]);
  assert.equal((await feed.status()).generatedAtMs, Date.parse(dated["last-modified"]), "the list is as old as it was");
  const after = await feed.listed();
  const [some] = before.listings.keys();
  assert.ok((after.listings.get(some!) ?? 0) - (before.listings.get(some!) ?? 0) > 19 * 3_600);
  assert.match(asked?.["user-agent"] ?? "", /^fleetban\//);
});

test("the same body again is no news, and by another definition another list", async (t) => {
  const feed = await startListFeed(t);
  const said = { body: `${goodList(100)}\n2a01:1::/48\n`, headers: { etag: '"one"' } };
  await feed.fetched(said);
  const { revision } = await feed.listed();
  assert.equal((await feed.fetched(said)).outcome, "unchanged");
  assert.equal((await feed.listed()).revision, revision);
  const onlyV4 = { ...feed.feed, filter: { ...feed.feed.filter, ipVersion: 4 as const } };
  assert.deepEqual(await feed.fetched(said, onlyV4), { outcome: "fetched", changed: 1 });
  assert.equal(feed.publisher.requests.at(-1)?.["if-none-match"], undefined, "its tag is of another list");
  assert.deepEqual((await feed.status()).refused, { "other-family": 1 });
});

test("what a feed named ends by itself when its publisher is gone for long enough", async (t) => {
  const feed = await startListFeed(t);
  await feed.fetched({ body: goodList(20) });
  await feed.fetched({ status: 500 });
  await feed.store.sql`update feeds set confirmed_at = confirmed_at - interval '25 hours'`;
  assert.equal((await feed.listed()).listings.size, 20, "a failure takes nothing off");
  await feed.fetched({ body: goodList(25), headers: {} });
  assert.equal((await feed.listed()).listings.size, 25);
  const [row] = await feed.store.sql`
    select min(extract(epoch from until) - extract(epoch from clock_timestamp()))::float8 as least from listings
    where list_no = ${LIST_FEEDS}`;
  assert.ok(row!.least > 23 * 3_600 && row!.least <= 86_401, `${row!.least} s`);
});

test("a publisher's pace holds, by hand too", async (t) => {
  const feed = await startListFeed(t, { paceSeconds: 3_600 });
  feed.publisher.says({ body: goodList() });
  assert.equal((await refreshFeed(feed.parts, feed.feed, true, signal)).outcome, "fetched");
  const again = await refreshFeed(feed.parts, feed.feed, true, signal);
  assert.match(
    `${again.outcome}: ${again.reason}`,
    /^quota-exhausted: it may not be asked again before \d{4}-\d\d-\d\d [\d:]{8} UTC$/,
  );
  assert.equal(feed.publisher.requests.length, 1);
});

test("a failed fetch is tried again soon, at first within the hour, and later than it is told to come", async (t) => {
  const feed = await startListFeed(t);
  await feed.fetched({ status: 503, headers: { "retry-after": "7200" } });
  const told = (await feed.status()).nextAtMs! - feed.now();
  assert.ok(told > 7_100_000 && told <= 7_201_000, `${told} ms`);
  await feed.fetched({ status: 503 });
  const soon = (await feed.status()).nextAtMs! - feed.now();
  assert.ok(soon > 4 * 60_000 && soon < 3_600_000, `${soon} ms`);
});

test("a file is read as it is, and again when it has changed", async (t) => {
  const { parts, path, listed, fetch } = await startFile(t, "list.txt");
  await writeFile(path, "45.1.1.1\n45.1.1.2\n");
  assert.equal((await fetch()).outcome, "fetched");
  assert.equal((await fetch()).outcome, "unchanged");
  await writeFile(path, "45.1.1.1\n");
  assert.deepEqual(await fetch(), { outcome: "fetched", changed: 1 });
  assert.deepEqual([...(await listed()).listings.keys()], ["45.1.1.1"]);
  await rm(path);
  const gone = await fetch();
  assert.match(`${gone.outcome}: ${gone.reason}`, /^unavailable: .*list\.txt: cannot be read: there is no such file/);
  assert.equal((await listed()).listings.size, 1);
  assert.ok(parts);
});

test("a country from a database is a feed like any other, behind the same brakes", async (t) => {
  const { path, listed, fetch, status } = await startFile(t, "country.mmdb", {
    settings: { format: "mmdb", maxBytes: 1 << 20 },
    filter: { onlyCountries: ["DE"], exceptCountries: [], onlyNetworks: [] },
  });
  const german = ["45.1.0.0/20", "45.2.0.0/24", "2a01:4f8::/32"].map(parsePrefix);
  const entries = [...german.map((prefix) => [prefix, { country: { iso_code: "DE" } }] as const)];
  const french = [parsePrefix("45.3.0.0/24"), { country: { iso_code: "FR" } }] as const;
  await writeFile(path, mmdbOf([...entries, french], { recordBits: 28, version: 6 }));
  assert.equal((await fetch()).outcome, "fetched");
  assert.deepEqual([...(await listed()).listings.keys()].sort(), [...german].sort());
  const wide = [parsePrefix("46.0.0.0/10"), { country: { iso_code: "DE" } }] as const;
  await writeFile(path, mmdbOf([...entries, wide], { recordBits: 28, version: 6 }));
  const held = await fetch();
  assert.match(`${held.outcome}: ${held.reason}`, /^held: a new network is wide: 46\.0\.0\.0\/10/);
  assert.equal((await listed()).listings.size, 3);
  await writeFile(path, "not a database");
  const refused = await fetch();
  assert.match(`${refused.outcome}: ${refused.reason}`, /^refused-body: the database is damaged: it has no metadata/);
  assert.equal((await status()).entries, 3);
});

test("a feed that goes to another list takes its listings along, and one whose list is not there is off", async (t) => {
  const feed = await startListFeed(t);
  await feed.fetched({ body: goodList(30) });
  await feed.store.sql`
    insert into lists (list_no, name, effect, requires, lease_seconds) values (17, 'webs', 'deny', '{1}', 86400)`;
  const turns = async (list: string) => {
    const moved = { ...feed.feed, list };
    await refreshFeeds({ ...feed.parts, definitions: () => [moved] }, signal);
    await refreshFeeds({ ...feed.parts, definitions: () => [moved] }, signal);
    const rows = await feed.store.sql<{ list_no: number; listings: number }[]>`
      select list_no, count(*)::int as listings from listings group by list_no order by list_no`;
    return rows.map(({ list_no: no, listings }) => `${no}: ${listings}`);
  };
  feed.publisher.says({ status: 500 });
  assert.deepEqual(await turns("nowhere"), []);
  assert.equal((await feed.status()).mode, "off");
  assert.deepEqual(await turns("feeds"), ["3: 30"]);
});

test("feeds that name the same share a listing, which stays while one of them names it", async (t) => {
  const feed = await startListFeed(t);
  const folder = await temporaryFolder(t);
  const other = {
    ...listFeed({ at: { kind: "file", path: join(folder, "other.txt") }, confidence: 100 }),
    name: "other",
  };
  await writeFile(join(folder, "other.txt"), "45.1.1.1\n45.1.1.2\n");
  await defineFeeds(feed.store, [feed.feed, other]);
  await feed.fetched({ body: "45.1.1.2\n45.1.1.3\n" });
  await refreshFeed(feed.parts, other, true, signal);
  const rows = await feed.store.sql<{ prefix: string; rank: number; feeds: number }[]>`
    select host(prefix) as prefix, rank, jsonb_array_length(reasons) as feeds from listings order by prefix`;
  assert.deepEqual(
    rows.map((row) => `${row.prefix} ${row.rank} ${row.feeds}`),
    ["45.1.1.1 3 1", "45.1.1.2 3 2", "45.1.1.3 5 1"],
  );
  await feed.fetched({ body: "45.1.1.3\n45.1.1.4\n" });
  assert.equal((await feed.listed()).listings.size, 4);
});

test("a feed that was off for a month is forgotten, and is asked for its whole list when it comes back", async (t) => {
  const feed = await startListFeed(t);
  const said = { body: goodList(30), headers: { etag: '"one"' } };
  await feed.fetched(said);
  await defineFeeds(feed.store, []);
  const forget = feedsJobs(feed.parts).find(({ name }) => name === "forget-fetches")!;
  const named = async () => (await feed.store.sql`select from feed_prefixes`).length;
  await forget.run(signal);
  assert.equal(await named(), 30);
  await feed.store.sql`update feeds set confirmed_at = confirmed_at - interval '31 days'`;
  await forget.run(signal);
  assert.equal(await named(), 0);
  await defineFeeds(feed.store, [feed.feed]);
  assert.equal((await feed.fetched(said)).outcome, "fetched");
  assert.equal(feed.publisher.requests.at(-1)?.["if-none-match"], undefined);
  assert.equal(await named(), 30);
});

async function startFile(
  t: TestContext,
  name: string,
  given: Partial<Omit<Parameters<typeof fileFeed>[1], "path">> = {},
) {
  const feed = await startListFeed(t);
  const path = join(await temporaryFolder(t), name);
  const definition = fileFeed(feed.feed, { path, ...given });
  await defineFeeds(feed.store, [definition]);
  return {
    ...{ path, parts: feed.parts, listed: feed.listed },
    fetch: () => refreshFeed(feed.parts, definition, true, signal),
    status: feed.status,
  };
}

type Given = Pick<ReturnType<typeof listFeed>, "filter"> & {
  settings: Partial<ReturnType<typeof listFeed>["settings"]>;
};

function fileFeed(feed: ReturnType<typeof listFeed>, { path, settings, filter }: { path: string } & Partial<Given>) {
  const at = { kind: "file" as const, path };
  return { ...feed, filter: filter ?? feed.filter, settings: { ...feed.settings, ...settings, at } };
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fb-feed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
