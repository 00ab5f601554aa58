import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixMs } from "@fleetban/proto/model/time";
import { checkRequest, isReportedThere, readAnswer, singleRequest } from "./abuseipdb-report.ts";
import { csvBytes, csvFile } from "./csv-file.ts";

const NOW = unixMs(Date.UTC(2026, 10, 21, 12));
const API = { url: "https://api.example/api/v2/", key: "k".repeat(80), programVersion: "1" };
const REPORT = {
  reportNo: 1,
  address: parsePrefix("2a01:4f8::1"),
  categories: [18, 22],
  comment: 'a & b, ünd "c"',
  sightedAtMs: NOW + 5_000,
};

test("the key is in a header and nowhere else, and no time lies in the future", () => {
  const single = singleRequest(API, REPORT, NOW);
  assert.equal(single.url, "https://api.example/api/v2/report");
  assert.equal(single.headers.key, API.key);
  const form = new URLSearchParams(String(single.body));
  assert.deepEqual(Object.fromEntries(form), {
    ip: "2a01:4f8::1",
    categories: "18,22",
    comment: REPORT.comment,
    timestamp: "2026-11-21T11:59:00+00:00",
  });
  const check = checkRequest(API, { ...REPORT, sightedAtMs: NOW - 36 * 3600_000 }, NOW);
  assert.equal(check.url, "https://api.example/api/v2/check?ipAddress=2a01%3A4f8%3A%3A1&maxAgeInDays=3&verbose");
});

test("each answer is what it means, whichever status an older server gave it", () => {
  const duplicate = '{"errors":[{"detail":"You can only report the same IP address (`1.2.3.4`) once in 15 minutes."}]}';
  const quota = '{"errors":[{"detail":"Daily rate limit of 1000 requests exceeded for this endpoint."}]}';
  for (const [status, body, kind] of [
    [200, '{"data":{"ipAddress":"1.2.3.4","abuseConfidenceScore":52}}', "taken"],
    [200, "<html>Checking your browser</html>", "unknown"],
    [200, '{"data":null}', "unknown"],
    [429, duplicate, "duplicate"],
    [422, duplicate, "duplicate"],
    [403, duplicate, "duplicate"],
    [429, quota, "quota"],
    [429, "<html></html>", "busy"],
    [401, "{}", "unauthorized"],
    [403, "<html></html>", "unauthorized"],
    [422, "{}", "refused"],
    [301, "", "refused"],
    [502, "<html></html>", "unknown"],
  ] as const) {
    assert.equal(readAnswer({ status, headers: {}, body }, NOW).kind, kind, `${status} ${body}`);
  }
});

test("headers say how much is left, and when to come again", () => {
  const headers = { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0", "retry-after": "29241" };
  const { rate } = readAnswer({ status: 429, headers: { ...headers, "x-ratelimit-reset": "1" }, body: "" }, NOW);
  assert.deepEqual(rate, { limit: 1_000, remaining: 0, retryAt: NOW + 29_241_000 });
});

test("a report is found by its words, however the service has dressed them", () => {
  const told = (comment: string) => ({
    status: 200,
    headers: {},
    body: JSON.stringify({ data: { reports: [{ comment }] } }),
  });
  assert.equal(isReportedThere(told("a &amp; b,  ünd &quot;c&quot;"), REPORT.comment), true);
  assert.equal(isReportedThere(told("a and b"), REPORT.comment), false);
  assert.equal(isReportedThere({ status: 200, headers: {}, body: '{"data":{}}' }, "x"), undefined);
  assert.equal(isReportedThere({ status: 502, headers: {}, body: "" }, "x"), undefined);
});

test("a file of reports has its header to the letter, and fields that hold anything", () => {
  const row = {
    address: "1.2.3.4",
    categories: [18, 22],
    timestamp: "2026-11-21T12:00:00+00:00",
    comment: 'a, "b"\nc',
  };
  const file = csvFile([row]);
  assert.equal(file, 'IP,Categories,ReportDate,Comment\n1.2.3.4,"18,22",2026-11-21T12:00:00+00:00,"a, ""b"" c"');
  assert.equal(csvBytes(row), Buffer.byteLength(file.split("\n")[1]!) + 1);
});
