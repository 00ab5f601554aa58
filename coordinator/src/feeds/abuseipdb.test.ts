import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { unixMs } from "@fleetban/proto/model/time";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import type { Fault } from "../../../test/support/fake-abuseipdb/fault.ts";
import { SUBSCRIBER_KEY, startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { readFeedFile } from "../drivers/feed-file.ts";
import { downloadOverHttp } from "../drivers/http-download.ts";
import { fetchBlacklist } from "./abuseipdb.ts";
import type { AbuseIpdbSettings, EntryFilter, FetchAnswer } from "./feed.ts";
import { DRIP_MAX, EVERYTHING, feedAt, SILENCE_MAX } from "./feeds.fixture.ts";

const HOUR_MS = 3600_000;
const PATIENT = { deadlineMs: 60_000, idleMs: 60_000 };
const DAILY =
  '{"errors":[{"detail":"Daily rate limit of 5 requests exceeded for this endpoint. See headers for additional details.","status":429}]}';
const scores = [100, 90, 75, 50, 25];
const fake = await startFakeAbuseIpdb({
  entries: madeUpEntries(500, 1, (index) => scores[Math.floor(index / 20) % scores.length] ?? 100),
});
after(() => fake.close());
beforeEach(() => {
  fake.clearFaults();
  fake.regenerate();
  fake.advanceClock(24 * HOUR_MS); // a new day, new calls
  dayMs += 24 * HOUR_MS;
});
let dayMs = 0;

test("a free key gets the entries at confidence 100, whatever it asks for", async () => {
  const answer = await fetched({ confidenceMinimum: 25 });
  assert.deepEqual(answer.kind === "list" && confidencesOf(answer), [100]);
  assert.deepEqual(answer.rate, { limit: 5, remaining: 4, retryAt: undefined });
});

test("a subscriber's key gets what it asks for, best first, IPv6 among it", async () => {
  const answer = await fetched({ key: SUBSCRIBER_KEY, confidenceMinimum: 75 });
  assert.deepEqual(answer.kind === "list" && confidencesOf(answer), [100, 90, 75]);
  assert.ok(answer.kind === "list" && answer.list.entries.some(({ prefix }) => prefix.includes(":")));
});

const refusals: readonly (readonly [Fault, FetchAnswer["kind"], RegExp])[] = [
  [{ kind: "status", status: 500 }, "unavailable", /status 500$/],
  [{ kind: "status", status: 502 }, "unavailable", /status 502$/],
  [{ kind: "status", status: 503 }, "unavailable", /status 503$/],
  [{ kind: "html" }, "refused-body", /content type text\/html/],
  [{ kind: "text-plain" }, "refused-body", /content type text\/plain/],
  [{ kind: "no-entries" }, "refused-body", /no usable entry among 0/],
  [{ kind: "truncated-json" }, "refused-body", /generatedAt is missing/],
  [{ kind: "truncated-gzip" }, "refused-body", /broke off \(Z_BUF_ERROR\)/],
  [{ kind: "short-body" }, "refused-body", /broke off/],
  [{ kind: "silence", silenceMs: 10_000 }, "unavailable", /silent for 600 ms/],
  [{ kind: "drip", everyMs: 20 }, "unavailable", /not complete after 3000 ms/],
  [{ kind: "endless" }, "refused-body", /longer than 1048576 bytes/],
  [{ kind: "reset" }, "unavailable", /ECONNRESET/],
  [{ kind: "old", ageMs: 48 * HOUR_MS }, "refused-body", /generated 48 hours ago/],
  [{ kind: "old", ageMs: -48 * HOUR_MS }, "refused-body", /generated 48 hours ahead/],
];
for (const [fault, kind, reason] of refusals) {
  test(`${JSON.stringify(fault)}: ${kind}`, async () => {
    fake.inject(fault);
    const limits = fault.kind === "drip" ? DRIP_MAX : fault.kind === "silence" ? SILENCE_MAX : PATIENT;
    const answer = await fetched({}, new AbortController().signal, EVERYTHING, limits);
    assert.equal(answer.kind, kind);
    assert.match("reason" in answer ? answer.reason : "", reason);
  });
}

const bends: readonly (readonly [Fault, string])[] = [
  [{ kind: "entry", address: "0.0.0.0" }, "special-purpose"],
  [{ kind: "entry", address: "192.168.1.30" }, "special-purpose"],
  [{ kind: "entry", address: "fe80::1" }, "special-purpose"],
  [{ kind: "entry", address: "5.6.7.0/24" }, "not-an-address"],
  [{ kind: "not-an-address" }, "not-an-address"],
  [{ kind: "duplicate" }, "duplicate"],
];
for (const [fault, refused] of bends) {
  test(`${JSON.stringify(fault)} is left out and counted, the rest is a list`, async () => {
    fake.inject(fault);
    const answer = await fetched({});
    assert.ok(answer.kind === "list");
    assert.equal(answer.list.entries.length, 100);
    assert.equal(answer.list.refused[refused as "duplicate"], 1);
  });
}

test("entries without a country are entries", async () => {
  fake.inject({ kind: "null-country" });
  const answer = await fetched({});
  assert.equal(answer.kind === "list" && answer.list.entries.length, 100);
});

test("a list of bad entries is not the list", async () => {
  const bad = Array.from({ length: 20 }, (_, index) => ({ ...madeUpEntries(1)[0]!, ipAddress: `10.0.0.${index}` }));
  fake.setEntries([...bad, ...madeUpEntries(100)], { regenerate: true });
  const answer = await fetched({});
  fake.setEntries(madeUpEntries(500, 1, (index) => scores[Math.floor(index / 20) % scores.length] ?? 100));
  assert.match(answer.kind === "refused-body" ? answer.reason : "", /20 of 120 entries are bad/);
});

test("countries and the IP version are asked for, and what came is judged by them", async () => {
  const filter = { ...EVERYTHING, onlyCountries: ["CN"], ipVersion: 4 as const };
  const answer = await fetched({ key: SUBSCRIBER_KEY }, new AbortController().signal, filter);
  assert.ok(answer.kind === "list" && answer.list.entries.length > 0 && answer.list.note === undefined);
  assert.ok(answer.list.entries.every(({ prefix }) => !prefix.includes(":")));
  const degraded = await fetched({}, new AbortController().signal, filter);
  assert.ok(degraded.kind === "list");
  assert.deepEqual(
    degraded.list.entries.map(({ prefix }) => prefix),
    answer.list.entries.map(({ prefix }) => prefix),
    "a free key gets all countries, and no error: the others are left out here",
  );
  assert.match(
    degraded.list.note ?? "",
    /entries are of countries that were not asked for: the key's plan may not give more/,
  );
});

test("what a free key's plan does not give is told, though the list is good", async () => {
  const answer = await fetched({ confidenceMinimum: 50, limit: 100_000 });
  assert.match(
    answer.kind === "list" ? (answer.list.note ?? "") : "",
    /asked for confidence 50, all that came is at 100/,
  );
  assert.match(answer.kind === "list" ? (answer.list.note ?? "") : "", /asked for 100000 entries, 100 came/);
});

test("the plain form counts at the confidence that was asked for, dated by its header", async () => {
  const answer = await fetched({ key: SUBSCRIBER_KEY, confidenceMinimum: 75, plaintext: true });
  assert.ok(answer.kind === "list");
  assert.deepEqual(confidencesOf(answer), [75]);
  assert.ok(Math.abs((answer.list.generatedAt ?? 0) - Date.now() - dayMs) < HOUR_MS);
  fake.inject({ kind: "html" });
  const page = await fetched({ plaintext: true });
  assert.match("reason" in page ? page.reason : "", /content type text\/html/);
});

const busy: readonly (readonly [
  what: string,
  body: string,
  headers: Record<string, string>,
  kind: string,
  waits: boolean,
])[] = [
  ["the day's, with Retry-After", DAILY, { "retry-after": "29241" }, "quota-exhausted", true],
  ["the day's, without", DAILY, {}, "quota-exhausted", false],
  ["the day's, by its headers alone", "{}", { "x-ratelimit-remaining": "0" }, "quota-exhausted", false],
  ["too fast, with Retry-After", "slow down", { "retry-after": "60" }, "rate-limited", true],
  ["too fast, with a date", "slow down", { "retry-after": "Sat, 21 Nov 2026 10:01:00 GMT" }, "rate-limited", true],
  ["too fast, without", "<html>slow down</html>", {}, "rate-limited", false],
];
for (const [what, body, headers, kind, waits] of busy) {
  test(`429, ${what}: ${kind}`, async () => {
    const now = unixMs(Date.UTC(2026, 10, 21, 10));
    const download = async () => ({ status: 429, headers, body: Buffer.from(body) });
    const parts = { download, readFile: readFeedFile, limits: { deadlineMs: 1, idleMs: 1 }, programVersion: "0.1.0" };
    const { signal } = new AbortController();
    const answer = await fetchBlacklist(
      { ...parts, nowMs: () => now, turns: () => undefined },
      feedAt(fake.url),
      signal,
    );
    assert.equal(answer.kind, kind);
    assert.equal((answer.rate.retryAt ?? 0) > now, waits);
  });
}

test("an unknown key is told in the publisher's words", async () => {
  const answer = await fetched({ key: "nobody" });
  assert.equal(answer.kind, "unauthorized");
  assert.match(answer.kind === "unauthorized" ? answer.reason : "", /^status 401: Authentication failed\./);
});

test("a parameter that is refused is told in the publisher's words", async () => {
  const answer = await fetched({ confidenceMinimum: 10 });
  assert.match(answer.kind === "refused-request" ? answer.reason : "", /^status 422: The confidence minimum must/);
});

test("the sixth call of a day is told to wait for the next one", async () => {
  for (let call = 0; call < 5; call += 1) assert.equal((await fetched({})).kind, "list");
  const answer = await fetched({});
  assert.equal(answer.kind, "quota-exhausted");
  assert.equal(new Date(answer.rate.retryAt ?? 0).getUTCHours(), 0);
  assert.equal(answer.rate.remaining, 0);
});

test("nobody listening is unavailable, and the signal's end is no answer", async () => {
  assert.equal((await fetched({ url: "http://127.0.0.1:9/api/v2" })).kind, "unavailable");
  fake.inject({ kind: "silence", silenceMs: 10_000 });
  const stopped = new Error("stopped");
  await assert.rejects(fetched({}, AbortSignal.abort(stopped)), stopped);
});

function fetched(
  wanted: Partial<AbuseIpdbSettings>,
  signal = new AbortController().signal,
  filter: EntryFilter = EVERYTHING,
  limits = PATIENT,
): Promise<FetchAnswer> {
  const feed = feedAt(fake.url);
  const abuseipdb = { ...feed.abuseipdb, limit: 1_000, ...wanted };
  const nowMs = () => unixMs(Date.now() + dayMs);
  const parts = { download: downloadOverHttp, readFile: readFeedFile, limits, nowMs, programVersion: "0.1.0" };
  return fetchBlacklist({ ...parts, turns: () => undefined }, { ...feed, abuseipdb, filter }, signal);
}

function confidencesOf(answer: Extract<FetchAnswer, { kind: "list" }>): number[] {
  return [...new Set(answer.list.entries.map((entry) => entry.confidence))].sort((one, other) => other - one);
}
