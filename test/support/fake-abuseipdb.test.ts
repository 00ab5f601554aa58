/** The fake against the documented contract: what a client may rely on. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { madeUpEntries } from "./fake-abuseipdb/entries.ts";
import { FREE_KEY, SUBSCRIBER_KEY, startFakeAbuseIpdb } from "./fake-abuseipdb.ts";

const DAY_MS = 24 * 3600_000;
const MINUTE_MS = 60_000;

test("the calls of a day survive a kill -9 of the fake, and are given anew the next day", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fb-abuseipdb-"));
  t.after(() => rm(folder, { recursive: true }));
  const stateFile = join(folder, "state.json");
  for (let call = 0; call < 5; call += 1) {
    const { url, kill } = await startProcess(t, stateFile);
    assert.equal((await blacklist(url)).status, 200);
    await kill();
  }
  const { url, kill } = await startProcess(t, stateFile);
  const refused = await blacklist(url);
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /Daily rate limit of 5 requests exceeded for this endpoint/);
  assert.equal(refused.headers.get("x-ratelimit-remaining"), "0");
  const resetAt = new Date(1_000 * Number(refused.headers.get("x-ratelimit-reset")));
  assert.equal(resetAt.toISOString().slice(11), "00:00:00.000Z");
  assert.ok(Number(refused.headers.get("retry-after")) <= 86_400);
  await fetch(new URL("/_fake/clock", url), { method: "POST", body: JSON.stringify({ advanceMs: DAY_MS }) });
  assert.equal((await blacklist(url)).status, 200);
  await kill();
});

test("a list is served for a day as it was made, plaintext with its time in a header", async (t) => {
  const fake = await start(t);
  const first = await (await blacklist(fake.url)).text();
  fake.setEntries(madeUpEntries(50, 2));
  fake.advanceClock(DAY_MS / 2);
  assert.equal(await (await blacklist(fake.url)).text(), first);
  const plain = await blacklist(fake.url, { query: "?plaintext" });
  assert.match(plain.headers.get("x-generated-at") ?? "", /\+00:00$/);
  assert.equal((await plain.text()).split("\n").length, 50);
  fake.advanceClock(DAY_MS);
  assert.notEqual(await (await blacklist(fake.url)).text(), first);
});

test("who does not ask for JSON gets errors as pages", async (t) => {
  const fake = await start(t);
  const page = await blacklist(fake.url, { key: "nobody", accept: "*/*" });
  assert.equal(page.status, 401);
  assert.match(await page.text(), /^<!DOCTYPE html>/);
  const json = await blacklist(fake.url, { key: "nobody" });
  assert.equal(json.status, 401);
  assert.deepEqual(Object.keys((await json.json()) as object), ["errors"]);
});

test("a parameter out of range names itself", async (t) => {
  const fake = await start(t);
  for (const [query, parameter] of [
    ["?confidenceMinimum=10", "confidenceMinimum"],
    ["?limit=0", "limit"],
    ["?ipVersion=5", "ipVersion"],
  ] as const) {
    const answer = await blacklist(fake.url, { key: SUBSCRIBER_KEY, query });
    const body = (await answer.json()) as { errors: { source: { parameter: string } }[] };
    assert.deepEqual([answer.status, body.errors[0]!.source.parameter], [422, parameter]);
  }
});

test("one address is reported once in a quarter hour; private ones, odd categories and the future never", async (t) => {
  const fake = await start(t);
  const future = new Date(Date.now() + DAY_MS).toISOString();
  for (const [form, status] of [
    [{ ip: "5.6.7.8", categories: "18,22" }, 200],
    [{ ip: "5.6.7.8", categories: "18,22" }, 429],
    [{ ip: "127.0.0.2", categories: "18" }, 429],
    [{ ip: "10.0.0.1", categories: "18" }, 422],
    [{ ip: "5.6.7", categories: "18" }, 422],
    [{ ip: "5.6.7.9", categories: "24" }, 422],
    [{ ip: "5.6.7.9", categories: "" }, 422],
    [{ ip: "5.6.7.9", categories: "18", timestamp: future }, 422],
  ] as const) {
    assert.equal((await report(fake.url, form)).status, status, JSON.stringify(form));
  }
  fake.advanceClock(16 * MINUTE_MS);
  const again = await report(fake.url, { ip: "5.6.7.8", categories: "18,22", comment: "and again" });
  assert.deepEqual(await again.json(), { data: { ipAddress: "5.6.7.8", abuseConfidenceScore: 52 } });
});

test("what says the same of the same address within a day is merged", async (t) => {
  const fake = await start(t);
  const form = { ip: "5.6.7.8", categories: "18,22", comment: "knocked" };
  for (const comment of ["knocked", "knocked", "knocked again"]) {
    assert.equal((await report(fake.url, { ...form, comment })).status, 200);
    fake.advanceClock(16 * MINUTE_MS);
  }
  assert.deepEqual(
    fake.reports().map(({ comment }) => comment),
    ["knocked", "knocked again"],
  );
});

test("a file of reports is taken row by row, and refused as a whole for its form", async (t) => {
  const fake = await start(t);
  await report(fake.url, { ip: "5.6.7.8", categories: "18" });
  const rows = [
    '5.6.7.9,"18,22",2026-01-01T00:00:00Z,"one, two ""three"""',
    "5.6.7.8,18,,again",
    "5.6.7.9,18,,twice",
    "127.0.foo.bar,18,,x",
    "5.6.7.10,24,,x",
  ];
  const taken = await bulk(fake.url, ["IP,Categories,ReportDate,Comment", ...rows].join("\n"));
  assert.equal(taken.status, 200);
  assert.deepEqual(await taken.json(), {
    data: {
      savedReports: 1,
      invalidReports: [
        { error: "Duplicate IP", input: "5.6.7.8", rowNumber: 3 },
        { error: "Duplicate IP", input: "5.6.7.9", rowNumber: 4 },
        { error: "Invalid IP", input: "127.0.foo.bar", rowNumber: 5 },
        { error: "Invalid Category", input: "5.6.7.10", rowNumber: 6 },
      ],
    },
  });
  assert.equal(fake.reports().at(-1)!.comment, 'one, two "three"');
  const long = Array.from({ length: 10_001 }, (_, at) => `5.6.${at >> 8}.${at & 255},18,,x`);
  for (const text of ["ip,categories\n5.6.7.9,18", `IP,Categories,ReportDate,Comment\n${long.join("\n")}`]) {
    assert.equal((await bulk(fake.url, text)).status, 422);
  }
  assert.equal((await bulk(fake.url, `IP,Categories,ReportDate,Comment\n${"x".repeat(2_000_001)}`)).status, 422);
  assert.equal((await bulk(fake.url, "IP,Categories,ReportDate,Comment")).status, 200);
  assert.equal((await bulk(fake.url, "IP,Categories,ReportDate,Comment")).status, 429);
});

test("a check tells the reports, those of a lost answer too", async (t) => {
  const fake = await start(t);
  fake.injectReport({ kind: "lost-answer" });
  await assert.rejects(report(fake.url, { ip: "5.6.7.8", categories: "18,22", comment: "knocked" }));
  const headers = { key: FREE_KEY, accept: "application/json" };
  const answer = await fetch(`${fake.url}/check?ipAddress=5.6.7.8&maxAgeInDays=1&verbose`, { headers });
  const { data } = (await answer.json()) as { data: { totalReports: number; reports: { comment: string }[] } };
  assert.deepEqual([data.totalReports, data.reports[0]!.comment], [1, "knocked"]);
  assert.equal((await fetch(`${fake.url}/check?ipAddress=10.0.0.1`, { headers })).status, 422);
});

async function start(t: TestContext) {
  const fake = await startFakeAbuseIpdb({ entries: madeUpEntries(50) });
  t.after(() => fake.close());
  return fake;
}

async function startProcess(t: TestContext, stateFile: string) {
  const program = new URL("./fake-abuseipdb.main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, "--entries", "50", "--state", stateFile]);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  t.after(kill);
  for await (const line of createInterface({ input: child.stdout })) {
    return { url: (JSON.parse(line) as { url: string }).url, kill };
  }
  throw new Error("the fake ended before it listened");
}

function blacklist(url: string, { key = FREE_KEY, accept = "application/json", query = "" } = {}): Promise<Response> {
  return fetch(`${url}/blacklist${query}`, { headers: { key, accept } });
}

function report(url: string, form: Record<string, string>): Promise<Response> {
  const headers = { key: FREE_KEY, accept: "application/json" };
  return fetch(`${url}/report`, { method: "POST", headers, body: new URLSearchParams(form) });
}

function bulk(url: string, csv: string): Promise<Response> {
  const body = new FormData();
  body.set("csv", new Blob([csv], { type: "text/csv" }), "reports.csv");
  return fetch(`${url}/bulk-report`, { method: "POST", headers: { key: FREE_KEY, accept: "application/json" }, body });
}
