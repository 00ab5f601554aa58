import assert from "node:assert/strict";
import { test } from "node:test";
import { silentExchange } from "./exchange.fixture.ts";
import { previewReports } from "./find-reports.ts";
import { selectReports } from "./queries.ts";
import { DAY_MS, MINUTE_MS, startReports } from "./reports.fixture.ts";
import { reportOnce } from "./reports-jobs.ts";

test("what an agent sighted is reported once, under its jail's categories, with scrubbed evidence", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("web1.example.org");
  const evidence = Buffer.from("Nov 21 15:00:01 web1 sshd[7]: Failed password for alice from 5.6.7.8 port 2 ssh2");
  await reports.sight(agent, "5.6.7.8", { evidence });
  await reports.report();
  await reports.report();
  const [sent, ...others] = reports.fake.reports();
  assert.deepEqual(others, []);
  assert.deepEqual([sent!.address, sent!.categories], ["5.6.7.8", [18, 22]]);
  assert.match(
    sent!.comment,
    /^brute-force, ssh: 5 failures in 1 ban by 1 server of one fleet \(fail2ban sshd\), tcp ssh, 20\S+Z\. /,
  );
  assert.match(sent!.comment, /\[host\] sshd: Failed password for \[user\] from 5\.6\.7\.8 port 2 ssh2$/);
  assert.doesNotMatch(sent!.comment, /web1|alice|example/);
  assert.deepEqual(await reports.states(), { "5.6.7.8": "sent" });
  assert.equal(reports.outcomes.get("sent"), 1);
});

test("a ban that came by the socket is not told as one of a fail2ban", async (t) => {
  const reports = await startReports(t);
  await reports.sight(await reports.agent("one"), "5.6.7.8", { source: "socket" });
  await reports.report();
  assert.match(reports.fake.reports()[0]!.comment, /by 1 server of one fleet \(sshd\), tcp ssh/);
});

test("nothing is planned or sent until the policy says so", async (t) => {
  const reports = await startReports(t);
  reports.setPolicy({ mode: "off" });
  await reports.sight(await reports.agent("one"), "5.6.7.8");
  await reports.report();
  assert.deepEqual(await reports.states(), {});
  assert.deepEqual(reports.fake.calls("report"), []);
});

test("only what the fleet itself detected over TCP in a mapped jail is reported", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  await reports.sight(agent, "5.6.7.1", { jail: "customer-acme" });
  await reports.sight(agent, "5.6.7.2", { jail: "named-refused", protocol: "udp" });
  await reports.sight(agent, "5.6.7.3", { jail: "asterisk", protocol: "udp" });
  await reports.sight(agent, "5.6.7.4", { source: "import" });
  await reports.sight(agent, "5.6.7.5", { kind: "restored" });
  const revoked = await reports.agent("revoked");
  await reports.sight(revoked, "5.6.7.6");
  await reports.store.sql`update agents set state = 'revoked' where agent_no = ${revoked}`;
  await reports.sight(agent, "2a01:4f8::7");
  await reports.report();
  assert.deepEqual(Object.keys(await reports.states()), ["2a01:4f8::7"]);
  const { leftOut, unmappedJails } = await previewReports(reports.parts, { limit: 10, only: undefined });
  assert.deepEqual([...unmappedJails], [["customer-acme", 1]]);
  assert.deepEqual(leftOut, { "unmapped-jail": 1, udp: 1, "not-listed": 3 });
  reports.setPolicy({ jails: { customer: [21] } });
  const preview = await previewReports(reports.parts, { limit: 10, only: undefined });
  assert.deepEqual(
    preview.reports.map(({ address, categories }) => [address, categories]),
    [["5.6.7.1", [21]]],
  );
  assert.doesNotMatch(preview.reports[0]!.comment, /acme/);
});

test("a jail may be called as it likes", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  await reports.sight(agent, "5.6.7.1", { jail: "constructor" });
  await reports.sight(agent, "5.6.7.2", { jail: "__proto__" });
  const { unmappedJails } = await previewReports(reports.parts, { limit: 10, only: undefined });
  assert.deepEqual([...unmappedJails].sort(), [
    ["__proto__", 1],
    ["constructor", 1],
  ]);
});

test("a jail over other jails is reported under what they saw", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  await reports.sight(agent, "5.6.7.8", { jail: "vsftpd" });
  await reports.report();
  await reports.pass(2 * DAY_MS);
  await reports.sight(agent, "5.6.7.8", { jail: "recidive", bannedAtMs: reports.ledger.ledgerTimeMs() });
  await reports.report();
  assert.deepEqual(
    reports.fake.reports().map(({ categories }) => categories),
    [
      [5, 18],
      [5, 18],
    ],
  );
});

test("what is pardoned, allowed or the fleet's own is not reported, even if it was planned before", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  const planned = ["5.6.7.1", "5.6.7.2", "5.6.7.3", "5.6.7.4"];
  for (const address of planned) await reports.sight(agent, address);
  await reportOnce({ ...reports.parts, api: undefined }, new AbortController().signal);
  assert.deepEqual(new Set(Object.values(await reports.states())), new Set(["planned"]));
  const { sql } = reports.store;
  await sql`insert into allowlist (prefix, reason, author) values ('5.6.7.1', '', 'me')`;
  await sql`insert into pardons (prefix, until, reason, author) values ('5.6.7.2/31', clock_timestamp() + '1h', '', 'me')`;
  await reports.report();
  assert.deepEqual(
    reports.fake.reports().map(({ address }) => address),
    ["5.6.7.4"],
  );
  const states = await reports.states();
  assert.deepEqual([states["5.6.7.1"], states["5.6.7.2"], states["5.6.7.3"]], ["refused", "refused", "refused"]);
  await sql`update pardons set ended_at = clock_timestamp()`;
  await reports.pass(2 * DAY_MS);
  await reports.report();
  assert.equal(reports.fake.reports().length, 1, "what it did before the pardon's end says nothing");
});

test("the most valuable goes first: what no feed knows, then what many servers saw", async (t) => {
  const reports = await startReports(t);
  const [one, other] = [await reports.agent("one"), await reports.agent("other")];
  const { sql } = reports.store;
  await sql`insert into feeds (name, kind, stale_after_seconds) values ('abuseipdb', 'abuseipdb', 1)`;
  await sql`
    insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no) select feed_no, '5.6.7.1', 100, 1 from feeds`;
  for (const address of ["5.6.7.1", "5.6.7.2", "5.6.7.3"]) await reports.sight(one, address);
  for (const address of ["5.6.7.1", "5.6.7.3"]) await reports.sight(other, address);
  await reports.report();
  assert.deepEqual(
    reports.fake.reports().map(({ address }) => address),
    ["5.6.7.3", "5.6.7.2", "5.6.7.1"],
  );
});

test("of an IPv6 /64 one address a day is reported, the one worth most", async (t) => {
  const reports = await startReports(t);
  const [one, other] = [await reports.agent("one"), await reports.agent("other")];
  for (let at = 1; at <= 5; at += 1) await reports.sight(one, `2a01:4f8:0:1::${at}`);
  await reports.sight(other, "2a01:4f8:0:1::3");
  await reports.sight(one, "2a01:4f8:0:2::1");
  const preview = await previewReports(reports.parts, { limit: 10, only: undefined });
  assert.deepEqual(
    preview.reports.map(({ address }) => address),
    ["2a01:4f8:0:1::3", "2a01:4f8:0:2::1"],
  );
  assert.deepEqual([preview.total, preview.leftOut], [2, { "network-reported": 4 }]);
  await reports.report();
  await reports.sight(other, "2a01:4f8:0:1::6");
  await reports.report();
  const addresses = () => reports.fake.reports().map(({ address }) => address);
  assert.deepEqual(addresses(), ["2a01:4f8:0:1::3", "2a01:4f8:0:2::1"]);
  assert.deepEqual(
    (await previewReports(reports.parts, { limit: 10, only: undefined })).leftOut["network-reported"],
    5,
  );
  await reports.pass(DAY_MS + MINUTE_MS);
  await reports.sight(other, "2a01:4f8:0:1::6", { bannedAtMs: reports.ledger.ledgerTimeMs() - 80_000 });
  await reports.report();
  assert.deepEqual(addresses().slice(2), ["2a01:4f8:0:1::6"], "a day later another may");
});

test("a planned report gives way to a more valuable one of its /64, never one that may have been sent", async (t) => {
  const reports = await startReports(t);
  const [one, other] = [await reports.agent("one"), await reports.agent("other")];
  const plan = () => reportOnce({ ...reports.parts, api: undefined }, new AbortController().signal);
  await reports.sight(one, "2a01:4f8:0:1::1");
  await plan();
  await reports.sight(one, "2a01:4f8:0:1::2");
  await reports.sight(other, "2a01:4f8:0:1::2");
  await plan();
  assert.deepEqual(await reports.states(), { "2a01:4f8:0:1::2": "planned" });
  await reports.store.sql`update reports set state = 'sending', sent_at = clock_timestamp() - interval '2 days'`;
  for (const agent of [one, other, await reports.agent("third")]) await reports.sight(agent, "2a01:4f8:0:1::3");
  await plan();
  assert.equal((await reports.states())["2a01:4f8:0:1::3"], undefined);
});

test("an address is reported again after a day, if it was sighted again", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  await reports.sight(agent, "5.6.7.8");
  await reports.report();
  await reports.pass(DAY_MS + MINUTE_MS);
  await reports.report();
  assert.equal(reports.fake.reports().length, 1, "what was sighted before the report is told already");
  await reports.sight(agent, "5.6.7.8", { bannedAtMs: reports.ledger.ledgerTimeMs() - 80_000 });
  await reports.report();
  assert.equal(reports.fake.reports().length, 2);
  await reports.pass(MINUTE_MS);
  await reports.sight(agent, "5.6.7.8", { bannedAtMs: reports.ledger.ledgerTimeMs() });
  await reports.report();
  assert.equal(reports.fake.calls("report").length, 2, "not within the day");
});

test("the daily quota stops everything until it is given anew, as the headers tell it", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  const headers = { key: reports.parts.api!.key, accept: "application/json" };
  for (let call = 0; call < 998; call += 1) {
    await fetch(`${reports.fake.url}/report`, { method: "POST", headers, body: new URLSearchParams({ ip: "1" }) });
  }
  for (const address of ["5.6.7.1", "5.6.7.2", "5.6.7.3", "5.6.7.4"]) await reports.sight(agent, address);
  await reports.report();
  await reports.report();
  assert.equal(reports.fake.reports().length, 2, "others spent 998 of 1,000 with the same key");
  assert.equal(reports.fake.calls("report").length, 1_000, "nothing was asked in vain");
  assert.deepEqual(Object.values(await reports.states()).sort(), ["planned", "planned", "sent", "sent"]);
  await reports.pass(DAY_MS + 30 * MINUTE_MS);
  await reports.report();
  assert.equal(reports.fake.reports().length, 4);
});

test("a 429 for the quota plans the report again, a 429 for the address drops that one and goes on", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  const headers = { key: reports.parts.api!.key, accept: "application/json" };
  const body = new URLSearchParams({ ip: "5.6.7.1", categories: "18", comment: "by another program" });
  await fetch(`${reports.fake.url}/report`, { method: "POST", headers, body });
  await reports.sight(agent, "5.6.7.1");
  await reports.sight(agent, "5.6.7.2");
  await reports.report();
  assert.deepEqual(await reports.states(), { "5.6.7.1": "refused", "5.6.7.2": "sent" });
  assert.equal(reports.outcomes.get("duplicate"), 1);
  await reports.sight(agent, "5.6.7.3");
  reports.fake.injectReport({ kind: "status", status: 429 });
  await reports.report();
  assert.equal((await reports.states())["5.6.7.3"], "planned");
  const calls = reports.fake.calls("report").length;
  await reports.report();
  assert.equal(reports.fake.calls("report").length, calls, "it rests");
});

test("a key that is refused is not tried again for an hour, and nothing is lost", async (t) => {
  const reports = await startReports(t, "x".repeat(80));
  await reports.sight(await reports.agent("one"), "5.6.7.8");
  await reports.report();
  await reports.report();
  assert.equal(reports.fake.calls("report").length, 1);
  assert.deepEqual(await reports.states(), { "5.6.7.8": "planned" });
  const [quota] = await reports.store.sql<{ problem: string }[]>`
    select problem from report_quotas where endpoint = 'report'`;
  assert.match(quota!.problem, /^status 401: Authentication failed/);
});

test("an outage loses nothing and sends nothing twice", async (t) => {
  const reports = await startReports(t);
  await reports.sight(await reports.agent("one"), "5.6.7.8");
  const away = { ...reports.parts, exchange: silentExchange("not-sent") };
  await reportOnce(away, new AbortController().signal);
  assert.deepEqual(await reports.states(), { "5.6.7.8": "planned" });
  await reports.report();
  assert.equal(reports.fake.calls("report").length, 0, "it rests for a minute");
  await reports.pass(31 * MINUTE_MS);
  await reports.report();
  assert.equal(reports.fake.reports().length, 1);
});

for (const [what, fault, arrived] of [
  ["was lost is not sent again", { kind: "lost-answer" }, 1],
  ["and whose request was lost is sent again", { kind: "reset" }, 0],
  ["was an error of a proxy and that never arrived is sent again", { kind: "status", status: 502 }, 0],
] as const) {
  test(`a report whose answer ${what}, after the quarter hour`, async (t) => {
    const reports = await startReports(t);
    await reports.sight(await reports.agent("one"), "5.6.7.8");
    reports.fake.injectReport(fault);
    await reports.report();
    assert.deepEqual(await reports.states(), { "5.6.7.8": "unknown" });
    assert.equal(reports.fake.reports().length, arrived);
    await reports.pass(5 * MINUTE_MS);
    await reports.report();
    assert.equal(reports.fake.calls("report").length + reports.fake.calls("check").length, 1, "not within it");
    await reports.pass(11 * MINUTE_MS);
    await reports.report();
    assert.deepEqual(await reports.states(), { "5.6.7.8": "sent" });
    assert.equal(reports.fake.reports().length, 1);
    assert.equal(reports.fake.calls("report").length, 2 - arrived);
    assert.equal(reports.fake.calls("check").length, 1);
  });
}

test("a coordinator that died while it was sending leaves a report that is looked for, not sent again", async (t) => {
  const reports = await startReports(t);
  await reports.sight(await reports.agent("one"), "5.6.7.8");
  const dies = {
    ...reports.parts,
    exchange: async (...args: Parameters<typeof reports.parts.exchange>) => {
      await reports.parts.exchange(...args);
      throw new Error("killed");
    },
  };
  await assert.rejects(reportOnce(dies, new AbortController().signal), /killed/);
  assert.deepEqual(await reports.states(), { "5.6.7.8": "sending" });
  await reports.pass(16 * MINUTE_MS);
  await reports.report();
  assert.deepEqual(await reports.states(), { "5.6.7.8": "sent" });
  assert.equal(reports.fake.reports().length, 1);
});

test("of two replicas one sends each report", async (t) => {
  const reports = await startReports(t);
  const agent = await reports.agent("one");
  for (let last = 1; last <= 20; last += 1) await reports.sight(agent, `5.6.7.${last}`);
  const other = { ...reports.parts, store: await reports.database.open() };
  const { signal } = new AbortController();
  await Promise.all([reportOnce(reports.parts, signal), reportOnce(other, signal)]);
  assert.equal(reports.fake.calls("report").length, 20);
  assert.equal(reports.fake.reports().length, 20);
});

test("in bulk many go with one call, spread over the day, and refused rows are told", async (t) => {
  const reports = await startReports(t);
  reports.setPolicy({ by: "bulk" });
  const agent = await reports.agent("one");
  const headers = { key: reports.parts.api!.key, accept: "application/json" };
  const body = new URLSearchParams({ ip: "5.6.7.1", categories: "18", comment: "by another program" });
  await fetch(`${reports.fake.url}/report`, { method: "POST", headers, body });
  for (let last = 1; last <= 30; last += 1) await reports.sight(agent, `5.6.7.${last}`);
  await reports.report();
  await reports.sight(agent, "5.6.8.1");
  await reports.report();
  assert.equal(reports.fake.calls("bulk-report").length, 1);
  assert.equal(reports.fake.reports().length, 30);
  const [refused] = await selectReports(reports.store.sql, { state: "refused", limit: 10 });
  assert.deepEqual([refused!.address, refused!.answer, refused!.isBulk], ["5.6.7.1", "Duplicate IP", true]);
  await reports.pass(6 * 60 * MINUTE_MS);
  await reports.report();
  assert.equal(reports.fake.calls("bulk-report").length, 2);
  assert.equal(reports.fake.reports().length, 31);
});

test("a bulk report whose answer was lost is asked after by a few of its rows", async (t) => {
  const reports = await startReports(t);
  reports.setPolicy({ by: "bulk" });
  const agent = await reports.agent("one");
  for (let last = 1; last <= 10; last += 1) await reports.sight(agent, `5.6.7.${last}`);
  reports.fake.injectReport({ kind: "lost-answer" });
  await reports.report();
  await reports.pass(16 * MINUTE_MS);
  await reports.report();
  assert.deepEqual(new Set(Object.values(await reports.states())), new Set(["sent"]));
  assert.deepEqual([reports.fake.calls("check").length, reports.fake.calls("bulk-report").length], [1, 1]);
});

test("by both ways a new address goes at once, one that was reported before with the next file", async (t) => {
  const reports = await startReports(t);
  reports.setPolicy({ by: "both" });
  const agent = await reports.agent("one");
  await reports.sight(agent, "5.6.7.8");
  await reports.report();
  await reports.pass(DAY_MS + MINUTE_MS);
  await reports.sight(agent, "5.6.7.8", { bannedAtMs: reports.ledger.ledgerTimeMs() });
  await reports.sight(agent, "5.6.7.9");
  await reports.report();
  assert.deepEqual([reports.fake.calls("report").length, reports.fake.calls("bulk-report").length], [2, 1]);
  assert.equal(reports.fake.reports().length, 3);
});
