/** A feed from the publisher to the ledger: what is asserted about listings is read from the ledger. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_EXEMPT, LIST_FEEDS, PARDONED } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixMs, unixSeconds } from "@fleetban/proto/model/time";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import type { Fault } from "../../../test/support/fake-abuseipdb/fault.ts";
import { recordAct } from "../admin/audit.ts";
import { defineFeeds } from "./define-feeds.ts";
import { feedStatuses } from "./feed-status.ts";
import { feedWarnings } from "./feed-warnables.ts";
import { DRIP_MAX, SILENCE_MAX, startFeeds } from "./feeds.fixture.ts";
import { refreshFeeds } from "./refresh.ts";
import { resolveFeedHold } from "./resolve-hold.ts";

const HOUR_MS = 3600_000;
const signal = new AbortController().signal;

test("the first list is listed whole: singles, /64 for IPv6, ranked by confidence, until it is stale", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  assert.equal((await feeds.refresh()).outcome, "fetched");
  const { revision, listings } = await feeds.listed();
  assert.equal(listings.size, 200);
  assert.equal([...listings.keys()].filter((prefix) => prefix.endsWith("::/64")).length, 8);
  const [row] = await feeds.store.sql`
    select max(abs(extract(epoch from until - fetched_at) - 72 * 3600))::float8 as off, max(rank) as rank,
      count(distinct reasons) as reasons
    from listings, feed_fetches where list_no = ${LIST_FEEDS}`;
  assert.ok(row!.off <= 1, `off by ${row!.off} s`);
  assert.deepEqual([row!.rank, row!.reasons], [3, 1]);
  assert.equal(revision > 0, true);
});

test("a list that was not made anew changes nothing at all", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  const before = await feeds.listed();
  assert.equal((await feeds.refresh()).outcome, "unchanged");
  assert.deepEqual(await feeds.listed(), before);
});

test("the next day's list changes what changed, and leaves the rest its time", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  const before = await feeds.listed();
  const [gone, ...kept] = madeUpEntries(200);
  const fresh = { ...gone!, ipAddress: "9.9.9.100" };
  feeds.fake.setEntries([fresh, ...kept]);
  feeds.nextList();
  assert.deepEqual(await feeds.refresh(), { outcome: "fetched", changed: 2 });
  const { listings } = await feeds.listed();
  assert.equal(listings.has(parsePrefix(gone!.ipAddress)), false);
  assert.equal(listings.has(parsePrefix("9.9.9.100")), true);
  for (const entry of kept.filter(({ ipAddress }) => !ipAddress.includes(":"))) {
    const prefix = parsePrefix(entry.ipAddress);
    assert.equal(listings.get(prefix), before.listings.get(prefix), prefix);
  }
});

const refusals: readonly (readonly [Fault | "sixth-call" | "wrong-key" | "bad-setting", string])[] = [
  [{ kind: "status", status: 500 }, "unavailable"],
  [{ kind: "status", status: 502 }, "unavailable"],
  [{ kind: "status", status: 503 }, "unavailable"],
  [{ kind: "html" }, "refused-body"],
  [{ kind: "no-entries" }, "refused-body"],
  [{ kind: "truncated-json" }, "refused-body"],
  [{ kind: "truncated-gzip" }, "refused-body"],
  [{ kind: "short-body" }, "refused-body"],
  [{ kind: "endless" }, "refused-body"],
  [{ kind: "silence", silenceMs: 10_000 }, "unavailable"],
  [{ kind: "drip", everyMs: 20 }, "unavailable"],
  [{ kind: "reset" }, "unavailable"],
  [{ kind: "old", ageMs: 72 * HOUR_MS }, "refused-body"],
  [{ kind: "three-entries" }, "held"],
  ["sixth-call", "quota-exhausted"],
  ["wrong-key", "unauthorized"],
  ["bad-setting", "refused-request"],
];
for (const [fault, outcome] of refusals) {
  test(`the old list stays in force: ${JSON.stringify(fault)}, ${outcome}`, async (t) => {
    const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
    await feeds.refresh();
    const before = await feeds.listed();
    feeds.fake.setEntries(madeUpEntries(200, 2));
    feeds.nextList();
    const settings = { ...feeds.feed.abuseipdb };
    if (fault === "wrong-key") settings.key = "nobody";
    if (fault === "bad-setting") settings.confidenceMinimum = 10;
    if (fault === "sixth-call") await spendCallsElsewhere(feeds.fake.url, settings.key);
    if (typeof fault === "object") feeds.fake.inject(fault);
    const kind = typeof fault === "object" ? fault.kind : undefined;
    const limits = kind === "silence" ? SILENCE_MAX : kind === "drip" ? DRIP_MAX : undefined;
    const refreshed = await feeds.refresh({ ...feeds.feed, abuseipdb: settings }, limits);
    assert.equal(refreshed.outcome, outcome);
    assert.notEqual(refreshed.reason ?? "", "");
    assert.deepEqual(await feeds.listed(), before);
    const [status] = await feedStatuses(feeds.store.sql, feeds.now());
    assert.deepEqual([status!.outcome, status!.entries], [outcome, 200]);
  });
}

test("no fault keeps the next good list out, and a better key is used at once", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  const wrong = { ...feeds.feed, abuseipdb: { ...feeds.feed.abuseipdb, key: "nobody" } };
  await defineFeeds(feeds.store, [wrong]);
  await refreshFeeds({ ...feeds.parts, definitions: () => [wrong] }, signal);
  const [refused] = await feedStatuses(feeds.store.sql, feeds.now());
  assert.deepEqual(feedWarnings([refused!], feeds.now()), [{ code: "feed-unauthorized", feed: "abuseipdb" }]);
  assert.ok(refused!.nextAtMs! > feeds.now() + HOUR_MS);
  await defineFeeds(feeds.store, [feeds.feed]);
  await refreshFeeds(feeds.parts, signal);
  assert.equal((await feeds.listed()).listings.size, 200);
});

test("what is allowed, pardoned or an agent's own is not listed, and comes back when the pardon has ended", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  const [pardoned, own, ...rest] = madeUpEntries(200).filter(({ ipAddress }) => !ipAddress.includes(":"));
  const prefix = parsePrefix(pardoned!.ipAddress);
  await feeds.protect(parsePrefix(own!.ipAddress));
  await feeds.ledger.write({ kind: "operator" }, async (_, now) => [
    {
      list: LIST_EXEMPT,
      prefix,
      to: { until: unixSeconds(now + 3600), rank: PARDONED, begun: now, reasons: [{ kind: "pardon", key: "1" }] },
    },
  ]);
  await feeds.refresh();
  const { listings } = await feeds.listed();
  assert.equal(listings.has(prefix), false);
  assert.equal(listings.has(parsePrefix(own!.ipAddress)), false);
  assert.equal(listings.has(parsePrefix(rest[0]!.ipAddress)), true);
  await feeds.ledger.write({ kind: "operator" }, async () => [{ list: LIST_EXEMPT, prefix, to: undefined }]);
  feeds.nextList();
  await feeds.refresh();
  assert.equal((await feeds.listed()).listings.has(prefix), true);
});

test("a held list waits for an operator, who lets it in without another call", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  feeds.fake.setEntries(madeUpEntries(30, 3));
  feeds.nextList();
  assert.equal((await feeds.refresh()).outcome, "held");
  const [status] = await feedStatuses(feeds.store.sql, feeds.now());
  const holdNo = status!.holdNo!;
  const calls = feeds.fake.calls("blacklist").length;
  const answer = { holdNo, approve: true, by: "ann" };
  const resolved = await resolveFeedHold(feeds.parts, answer, signal);
  assert.deepEqual(resolved, { kind: "approved", feed: "abuseipdb", mode: "enforce", entries: 30, changed: 230 });
  assert.equal((await feeds.listed()).listings.size, 30);
  assert.equal(feeds.fake.calls("blacklist").length, calls);
  assert.deepEqual(await resolveFeedHold(feeds.parts, answer, signal), { kind: "not-open" });
  const [row] = await feeds.store.sql`
    select bool_and(approved) as approved from revisions
    where list_no = ${LIST_FEEDS} and cause_no = (select max(fetch_no) from feed_fetches)`;
  assert.equal(row!.approved, true);
});

test("an operator who breaks off while his answer is carried out has given it, and it is recorded", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  feeds.fake.setEntries(madeUpEntries(30, 3));
  feeds.nextList();
  await feeds.refresh();
  const [status] = await feedStatuses(feeds.store.sql, feeds.now());
  const record = (sql: typeof feeds.store.sql) =>
    recordAct(sql, { name: "ann", role: "socket" }, { act: "holds approve", subject: "1 feed" });
  const answer = { holdNo: status!.holdNo!, approve: true, by: "ann", record };
  const write = { value: () => Promise.reject(new Error("he has gone")) };
  const parts = { ...feeds.parts, ledger: Object.create(feeds.parts.ledger, { write }) };
  await assert.rejects(resolveFeedHold(parts, answer, signal), /he has gone/);
  const [row] = await feeds.store.sql<{ acts: number; resolution: string }[]>`
    select (select count(*)::int from audit_log where act = 'holds approve') as acts, resolution from holds`;
  assert.deepEqual(row, { acts: 1, resolution: "approved" });
});

test("a held list that is rejected changes nothing, and a newer one takes the place of one that waits", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  const before = await feeds.listed();
  for (const seed of [3, 4]) {
    feeds.fake.setEntries(madeUpEntries(30, seed));
    feeds.nextList();
    assert.equal((await feeds.refresh()).outcome, "held");
  }
  const holds = await feeds.store.sql<{ hold_no: number; resolution: string | null }[]>`
    select hold_no, resolution from holds order by hold_no`;
  assert.deepEqual(
    holds.map(({ resolution }) => resolution),
    ["superseded", null],
  );
  const answer = { holdNo: holds[1]!.hold_no, approve: false, by: "ann" };
  assert.deepEqual(await resolveFeedHold(feeds.parts, answer, signal), { kind: "rejected", feed: "abuseipdb" });
  assert.deepEqual(await feeds.listed(), before);
});

test("two replicas at once make one call", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  feeds.fake.inject({ kind: "silence", silenceMs: 50 });
  const runs = ["a", "b", "c", "d"].map((runId) => refreshFeeds({ ...feeds.parts, runId }, signal));
  await Promise.all(runs);
  assert.equal(feeds.fake.calls("blacklist").length, 1);
  assert.equal((await feeds.listed()).listings.size, 200);
});

test("a feed that fails all day long is asked as often as the schedule may, and by hand twice more", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  feeds.fake.inject({ kind: "status", status: 503 });
  for (let turn = 0; turn < 10; turn += 1) {
    await feeds.makeDue();
    await refreshFeeds(feeds.parts, signal);
  }
  assert.equal(feeds.fake.calls("blacklist").length, 3);
  const outcomes = [];
  for (let call = 0; call < 4; call += 1) outcomes.push((await feeds.refresh()).outcome);
  assert.deepEqual(outcomes, ["unavailable", "unavailable", "quota-exhausted", "quota-exhausted"]);
  assert.equal(feeds.fake.calls("blacklist").length, 5);
});

test("a feed that is only observed lists nothing, and one switched to it takes its listings back", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  const observed = { ...feeds.feed, mode: "observe" as const };
  await defineFeeds(feeds.store, [observed]);
  await refreshFeeds({ ...feeds.parts, definitions: () => [observed] }, signal);
  assert.equal((await feeds.listed()).listings.size, 0);
  const [status] = await feedStatuses(feeds.store.sql, feeds.now());
  assert.deepEqual([status!.mode, status!.entries], ["observe", 200]);
  for (const [feed, size] of [
    [feeds.feed, 200],
    [observed, 0],
  ] as const) {
    await defineFeeds(feeds.store, [feed]);
    await refreshFeeds({ ...feeds.parts, definitions: () => [feed] }, signal);
    assert.equal((await feeds.listed()).listings.size, size, feed.mode);
  }
  await defineFeeds(feeds.store, [feeds.feed]);
  await refreshFeeds(feeds.parts, signal);
  await defineFeeds(feeds.store, []); // no longer in the configuration
  await refreshFeeds({ ...feeds.parts, definitions: () => [] }, signal);
  assert.equal((await feeds.listed()).listings.size, 0);
});

test("a feed without a good fetch for two turns is stale", async (t) => {
  const feeds = await startFeeds(t, { entries: madeUpEntries(200) });
  await feeds.refresh();
  const statuses = await feedStatuses(feeds.store.sql, feeds.now());
  assert.deepEqual(feedWarnings(statuses, feeds.now()), []);
  const later = unixMs(feeds.now() + 49 * HOUR_MS);
  assert.deepEqual(feedWarnings(statuses, later), [{ code: "feed-stale", feed: "abuseipdb" }]);
});

async function spendCallsElsewhere(url: string, key: string): Promise<void> {
  for (let call = 0; call < 5; call += 1) {
    await fetch(`${url}/blacklist?limit=1`, { headers: { key, accept: "application/json" } });
  }
}
