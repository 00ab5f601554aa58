/** What publishers have sent in place of a list, and what a list may look like and still be one: from the page to the ledger. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { feedWarnings } from "./feed-warnables.ts";
import { goodList, startListFeed } from "./list-feed.fixture.ts";
import type { Said } from "./publisher.fixture.ts";
import { resolveFeedHold } from "./resolve-hold.ts";

const MEGABYTE = 1 << 20;

interface Bad {
  readonly what: string;
  readonly said: Said;
  readonly outcome: string;
  readonly why: RegExp;
}

const page = "<!DOCTYPE html>\n<html><body>Sign in to continue</body></html>\n";
const good = goodList();
const bad: readonly Bad[] = [
  { what: "a page", said: { body: page }, outcome: "refused-body", why: /page for people/ },
  {
    what: "a page that says so",
    said: { body: page, headers: { "content-type": "text/html; charset=utf-8" } },
    outcome: "refused-body",
    why: /content type text\/html/,
  },
  {
    what: "a wrong content type",
    said: { body: good, headers: { "content-type": "image/png" } },
    outcome: "refused-body",
    why: /content type image\/png/,
  },
  {
    what: "a program",
    said: { body: `\x7fELF\0\0${good}` },
    outcome: "refused-body",
    why: /no text/,
  },
  {
    what: "truncated gzip on the way",
    said: { body: gzipSync(good).subarray(0, 300), headers: { "content-encoding": "gzip" } },
    outcome: "refused-body",
    why: /broke off \(Z_BUF_ERROR\)/,
  },
  {
    what: "a truncated gzip file",
    said: { body: gzipSync(good).subarray(0, 300), headers: { "content-type": "application/gzip" } },
    outcome: "refused-body",
    why: /bad gzip/,
  },
  {
    what: "a shorter body than was said",
    said: { body: good, headers: { "content-length": "99999" } },
    outcome: "refused-body",
    why: /broke off/,
  },
  {
    what: "200 MB, said beforehand",
    said: { body: good, headers: { "content-length": String(200 * MEGABYTE) }, padBytes: 200 * MEGABYTE },
    outcome: "refused-body",
    why: /longer than 1048576 bytes/,
  },
  {
    what: "200 MB",
    said: { body: good, padBytes: 200 * MEGABYTE },
    outcome: "refused-body",
    why: /longer than 1048576 bytes/,
  },
  {
    what: "200 MB, packed small",
    said: { body: gzipSync(Buffer.alloc(200 * MEGABYTE, "#\n")), headers: { "content-encoding": "gzip" } },
    outcome: "refused-body",
    why: /longer than 1048576 bytes/,
  },
  {
    what: "200 MB, a file packed small",
    said: { body: gzipSync(Buffer.alloc(200 * MEGABYTE, "#\n")) },
    outcome: "refused-body",
    why: /unpacked it is longer than 1048576 bytes/,
  },
  { what: "nothing", said: { body: "" }, outcome: "refused-body", why: /no usable entry among 0/ },
  {
    what: "comments only",
    said: { body: "# merged into DROP\n; see there\n" },
    outcome: "refused-body",
    why: /no usable entry among 0/,
  },
  {
    what: "prose",
    said: { body: "You may fetch this list every 30 minutes only.\n" },
    outcome: "refused-body",
    why: /no usable entry among 1/,
  },
  {
    what: "too many bad lines",
    said: { body: `${goodList(190)}\n${"300.1.2.3\n".repeat(10)}` },
    outcome: "refused-body",
    why: /10 of 200 lines are bad/,
  },
  {
    what: "bad lines for the most part",
    said: { body: `${goodList(20)}\n${"300.1.2.3\n".repeat(30)}` },
    outcome: "refused-body",
    why: /30 of 50 entries are bad/,
  },
  { what: "0.0.0.0/0", said: { body: `${good}\n0.0.0.0/0` }, outcome: "held", why: /names 0\.0\.0\.0\/0/ },
  {
    what: "0.0.0.0/1 and 128.0.0.0/1",
    said: { body: `${good}\n0.0.0.0/1\n128.0.0.0/1` },
    outcome: "held",
    why: /names 0\.0\.0\.0\/1 and 1 more/,
  },
  { what: "::/0", said: { body: `${good}\n::/0` }, outcome: "held", why: /names ::\/0/ },
  {
    what: "a range of everything",
    said: { body: `${good}\n0.0.0.0-255.255.255.255` },
    outcome: "held",
    why: /0\.0\.0\.0\/0/,
  },
  { what: "a wide network", said: { body: `${good}\n45.0.0.0/9` }, outcome: "held", why: /wide: 45\.0\.0\.0\/9/ },
  {
    what: "less than half",
    said: { body: goodList(99) },
    outcome: "held",
    why: /less than half: 99 entries, it had 200/,
  },
  { what: "more than double", said: { body: goodList(401) }, outcome: "held", why: /more than double: 401 entries/ },
  { what: "500", said: { status: 500, body: page }, outcome: "unavailable", why: /status 500/ },
  { what: "503", said: { status: 503, headers: { "retry-after": "120" } }, outcome: "unavailable", why: /status 503/ },
  { what: "429", said: { status: 429 }, outcome: "rate-limited", why: /status 429/ },
  {
    what: "429 with Retry-After",
    said: { status: 429, headers: { "retry-after": "3600" } },
    outcome: "rate-limited",
    why: /status 429/,
  },
  { what: "401", said: { status: 401 }, outcome: "unauthorized", why: /status 401/ },
  { what: "403", said: { status: 403 }, outcome: "unauthorized", why: /status 403/ },
  { what: "404", said: { status: 404, body: page }, outcome: "refused-request", why: /status 404/ },
  { what: "422", said: { status: 422 }, outcome: "refused-request", why: /status 422/ },
  {
    what: "a redirect",
    said: { status: 302, headers: { location: "http://ann:pw@169.254.169.254/latest/meta-data?key=abc#x" } },
    outcome: "refused-request",
    why: /it is at http:\/\/169\.254\.169\.254\/latest\/meta-data\?… now; write that as its url/,
  },
  { what: "204", said: { status: 204 }, outcome: "refused-body", why: /status 204/ },
  { what: "304, unasked", said: { status: 304 }, outcome: "refused-request", why: /status 304/ },
  { what: "a slow loris", said: { body: good, dripMs: 50 }, outcome: "unavailable", why: /not complete after 3000 ms/ },
  { what: "silence", said: { isSilent: true }, outcome: "unavailable", why: /silent for 600 ms/ },
];

test("whatever else comes, the old list stays in force, and the feed says why", async (t) => {
  const feed = await startListFeed(t);
  assert.equal((await feed.fetched({ body: good })).outcome, "fetched");
  const before = await feed.listed();
  assert.equal(before.listings.size, 200);
  for (const { what, said, outcome, why } of bad) {
    await t.test(what, async () => {
      const refreshed = await feed.fetched(said);
      assert.equal(refreshed.outcome, outcome, refreshed.reason);
      assert.match(refreshed.reason ?? "", why);
      assert.deepEqual(await feed.listed(), before);
      const status = await feed.status();
      assert.deepEqual([status.outcome, status.entries], [outcome, 200]);
      assert.match(status.reason ?? "", why);
    });
  }
  assert.equal((await feed.fetched({ body: goodList(200, 10) })).outcome, "fetched", "the next good list is taken");
});

const loads: readonly (readonly [what: string, said: Said, entries: readonly string[]])[] = [
  ["lines that end in CR LF", { body: "45.1.1.1\r\n45.1.1.2\r\n" }, ["45.1.1.1", "45.1.1.2"]],
  ["a byte order mark", { body: "\ufeff45.1.1.1\n45.1.1.2" }, ["45.1.1.1", "45.1.1.2"]],
  [
    "comments of every kind",
    { body: "# head\n45.1.1.1 # one\n45.1.1.2;two\n; three\n// four\n45.1.1.3 // five\n45.1.1.4\tsix 7\n" },
    ["45.1.1.1", "45.1.1.2", "45.1.1.3", "45.1.1.4"],
  ],
  ["ranges", { body: "45.1.1.0-45.1.1.255\n45.1.2.1 - 45.1.2.2\n" }, ["45.1.1.0/24", "45.1.2.1", "45.1.2.2"]],
  ["IPv4 in IPv6", { body: "::ffff:45.1.1.1\n" }, ["45.1.1.1"]],
  ["IPv6", { body: "2a01:1:1:1::5\n2a01:2::/48\n" }, ["2a01:1:1:1::/64", "2a01:2::/48"]],
  ["gzip", { body: gzipSync("45.1.1.1\n"), headers: { "content-encoding": "gzip" } }, ["45.1.1.1"]],
  ["a gzip file", { body: gzipSync("45.1.1.1\n"), headers: { "content-type": "application/gzip" } }, ["45.1.1.1"]],
  [
    "no content type to speak of",
    { body: "45.1.1.1\n", headers: { "content-type": "application/octet-stream" } },
    ["45.1.1.1"],
  ],
];

test("a feed that has never brought a list is a warning, until it brings one", async (t) => {
  const feed = await startListFeed(t);
  const codes = async () => feedWarnings([await feed.status()], feed.now()).map(({ code }) => code);
  assert.deepEqual(await codes(), [], "it has not been asked yet");
  await feed.fetched({ body: page });
  assert.deepEqual(await codes(), ["feed-without-list"]);
  await feed.fetched({ status: 404 });
  assert.deepEqual(await codes(), ["feed-request-refused"]);
  await feed.fetched({ body: good });
  assert.deepEqual(await codes(), []);
});

test("a list loads as it should, whatever its dress", async (t) => {
  const feed = await startListFeed(t);
  for (const [what, said, entries] of loads) {
    await t.test(what, async () => {
      assert.equal((await feed.fetched(said)).outcome, "fetched");
      const { listings } = await feed.listed();
      assert.deepEqual([...listings.keys()].sort(), [...entries].sort());
      assert.equal((await feed.status()).refusedEntries, 0);
    });
  }
});

test("a list that may be empty is, unless it was long", async (t) => {
  const feed = await startListFeed(t, { mayBeEmpty: true });
  assert.equal((await feed.fetched({ body: "# none today\n" })).outcome, "fetched");
  assert.equal((await feed.listed()).listings.size, 0);
  await feed.fetched({ body: goodList(3) });
  assert.equal((await feed.listed()).listings.size, 3);
  assert.deepEqual(await feed.fetched({ body: "# none again\n" }), { outcome: "fetched", changed: 3 });
  await feed.fetched({ body: good });
  const held = await feed.fetched({ body: "" });
  assert.match(`${held.outcome}: ${held.reason}`, /^held: the list would be emptied, it had 200 entries/);
});

const dropped: readonly (readonly [line: string, problem: RegExp, kind: string])[] = [
  ["45.7.7.7", /address of the fleet's own/, "own-address"],
  ["10.1.2.3", /overlaps 10\.0\.0\.0\/8, private use/, "special-purpose"],
  ["127.0.0.1", /loopback/, "special-purpose"],
  ["224.0.0.0/3", /multicast/, "special-purpose"],
  ["192.0.2.7", /documentation/, "special-purpose"],
  ["fe80::1%eth0", /zone id/, "not-an-address"],
  ["45.1.1.\u0661", /look like digits/, "not-an-address"],
  ["45.01.1.1", /leading zeros/, "not-an-address"],
  ["45.1.1.1/24", /host bits.*45\.1\.1\.0\/24/, "not-an-address"],
  ["176.221.42.3254.174.140.223", /above 255|no address/, "not-an-address"],
  ["45.1.1.9-45.1.1.1", /from one address up to another/, "not-an-address"],
  ["45.1.1.0/255.255.255.0", /length/, "not-an-address"],
];

test("a bad line is left out, counted and shown, and the rest is taken", async (t) => {
  for (const [line, problem, kind] of dropped) {
    await t.test(line, async (t) => {
      const feed = await startListFeed(t);
      await feed.protect(parsePrefix("45.7.7.7"));
      assert.equal((await feed.fetched({ body: `45.1.1.1\n${line}\n45.1.1.2\n` })).outcome, "fetched");
      assert.deepEqual([...(await feed.listed()).listings.keys()], ["45.1.1.1", "45.1.1.2"]);
      const status = await feed.status();
      assert.equal(status.refusedEntries, 1);
      assert.deepEqual(status.refused, { [kind]: 1 });
      assert.match(status.refusedLines[0]?.problem ?? "", problem);
    });
  }
});

test("a first list with many bad lines waits for an operator, and sets the measure once it is let in", async (t) => {
  const feed = await startListFeed(t);
  const lines = `${"300.1.2.3\n".repeat(8)}`;
  const held = await feed.fetched({ body: `${good}\n${lines}` });
  assert.match(`${held.outcome}: ${held.reason}`, /^held: 8 of 208 lines are bad/);
  assert.equal((await feed.fetched({ body: `${good}\n${lines}` })).outcome, "unchanged", "it is the list that waits");
  const answer = { holdNo: (await feed.status()).holdNo ?? 0, approve: true, by: "ann" };
  assert.equal((await resolveFeedHold(feed.parts, answer, new AbortController().signal)).kind, "approved");
  assert.equal((await feed.listed()).listings.size, 200);
  assert.equal((await feed.fetched({ body: `${goodList(201)}\n${lines}` })).outcome, "fetched");
  assert.equal((await feed.fetched({ body: `${goodList(202)}\n${lines.repeat(3)}` })).outcome, "refused-body");
});
