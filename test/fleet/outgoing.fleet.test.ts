/** The programs that ship, over kill -9: what goes back to AbuseIPDB, and what operators are told, each once. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ReceivedMail } from "../support/fake-smtp.ts";
import type { Posted } from "../support/fake-webhook.ts";
import { type FleetAbuseIpdb, startAbuseIpdb } from "../support/fleet/abuseipdb.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { withLedgerSql } from "../support/fleet/ledger-sql.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs();
const RECEIVERS = join(import.meta.dirname, "../support/receivers.main.ts");
const POST = "20.40.0.99";
const [SMTP_PORT, HTTP_PORT] = [2_525, 8_099];
const [FIRST, SECOND, THIRD] = ["45.83.64.9", "45.83.64.10", "45.83.64.11"];
const JOB_MS = 240_000; // reports have their turn each 20 s
const POLICY = `
report: { mode: send, by: single }
notifications:
  first_listings: { every: 10s }
  holds: { to: [] }
  agents: { to: [] }
`;

let fleet: Fleet;
let agent: FleetAgent;
let abuseipdb: FleetAbuseIpdb;
let inbox: string;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet({
    async coordinator(network, dir) {
      abuseipdb = await startAbuseIpdb(network, dir, []);
      inbox = join(dir, "inbox.json");
      const post = await network.host("post", [POST]);
      post.spawn(process.execPath, [RECEIVERS, POST, String(SMTP_PORT), String(HTTP_PORT), inbox]);
      const secret = join(dir, "hook-url");
      await writeFile(secret, `http://${POST}:${HTTP_PORT}/secret-path\n`);
      const mail = { host: POST, port: SMTP_PORT, tls: "none", from: "fleetban@example.org", to: ["ops@example.org"] };
      const config = { notifications: { mail, webhooks: { hook: { url_file: secret } } } };
      return { ...abuseipdb.options, config };
    },
  });
  agent = await fleet.agent(1);
  await agent.start();
  const file = join(fleet.dir, "policy.yaml");
  await writeFile(file, POLICY);
  await fleet.coordinator.cli(["policy", "apply", file, "--reason", "test", "--yes"]);
  await eventually("the channels work", () => testChannels());
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a ban is reported to AbuseIPDB and told to operators, and the preview said the same", { skip }, async () => {
  const line = "Nov 21 15:00:01 one sshd[7]: Failed password for invalid user alice from 45.83.64.9 port 2 ssh2";
  await agent.sendSocket({ ip: FIRST, jail: "sshd", ban_seconds: 3_600, failures: 5, reason: line });
  const preview = await eventually("it is in the preview, unless it is sent already", async () => {
    const { reports } = await fleet.coordinator.cli<{ reports: { comment: string }[] }>(["reports", "preview", FIRST]);
    return reports.length > 0 || (await abuseipdb.reports()).length > 0 ? reports : undefined;
  });
  const report = await eventually("it is reported", async () => (await abuseipdb.reports())[0], JOB_MS);
  assert.deepEqual([report.address, report.categories], [FIRST, [18, 22]]);
  if (preview.length > 0) assert.equal(preview[0]!.comment, report.comment);
  assert.match(
    report.comment,
    /\[host\] sshd: Failed password for invalid user \[user\] from 45\.83\.64\.9 port 2 ssh2$/,
  );
  const { mails, posted } = await eventually("it is told", () => told(1), JOB_MS);
  assert.match(mails[0]!.text, /45\.83\.64\.9 on fleet until/);
  assert.match(posted[0]!.body, /"prefix":"45\.83\.64\.9"/);
});

test("over kill -9, a restart of the agent and an answer that is lost, nothing is said twice", { skip }, async () => {
  await abuseipdb.injectReport({ kind: "lost-answer" }, 1);
  await agent.sendSocket({ ip: SECOND, jail: "sshd", ban_seconds: 3_600, failures: 5 });
  await eventually("the second is taken", async () => (await abuseipdb.reports()).length === 2, JOB_MS);
  await eventually("the second is told", () => told(2), JOB_MS);
  await withLedgerSql(fleet.coordinator, async (sql) => {
    // What was taken is known to be: one that is killed before it has noted that sends again, as it says.
    await eventually("the second is noted as told", async () => {
      const [left] = await sql`select count(*)::int as count from notifications where state in ('planned', 'sending')`;
      return left?.count === 0;
    });
    await sql`update report_quotas set blocked_until = null`; // as if its rest after a failure were over
  });
  await fleet.coordinator.kill9();
  await agent.kill9();
  await fleet.coordinator.start();
  await agent.start();
  await agent.sendSocket({ ip: THIRD, jail: "sshd", ban_seconds: 3_600, failures: 5 });
  await eventually("the third is taken", async () => (await abuseipdb.reports()).length >= 3, JOB_MS);
  const { mails, posted } = await eventually("the third is told", () => told(3), JOB_MS);
  const addresses = (await abuseipdb.reports()).map(({ address }) => address);
  assert.deepEqual(addresses, [FIRST, SECOND, THIRD]);
  for (const texts of [
    mails.map(({ text }) => text),
    posted.map(({ body }) => (JSON.parse(body) as { text: string }).text),
  ]) {
    for (const address of addresses) {
      assert.equal(texts.filter((text) => text.includes(`${address} `)).length, 1, `${address} in ${texts.join()}`);
    }
  }
  type Counts = { reports: { name: string; count: number }[] };
  const { reports } = await eventually("the third is noted as sent", async () => {
    const counts = await fleet.coordinator.cli<Counts>(["reports", "status"]);
    return countOf(counts.reports, "sent") === 2 && counts;
  });
  assert.equal(countOf(reports, "unknown"), 1);
  assert.doesNotMatch(await fleet.coordinator.log(), /secret-path/);
});

function countOf(reports: readonly { name: string; count: number }[], state: string): number | undefined {
  return reports.find(({ name }) => name === state)?.count;
}

async function testChannels(): Promise<boolean> {
  const tested = await fleet.coordinator.cli<{ sent: boolean }[]>(["notifications", "test"]).catch(() => []);
  return tested.length === 2 && tested.every(({ sent }) => sent);
}

/** What came to both, tests left out; undefined while it is fewer than so many addresses. */
async function told(addresses: number): Promise<{ mails: ReceivedMail[]; posted: Posted[] } | undefined> {
  const inboxText = await readFile(inbox, "utf8").catch(() => '{"mails":[],"posted":[]}');
  const { mails, posted } = JSON.parse(inboxText) as { mails: ReceivedMail[]; posted: Posted[] };
  const news = {
    mails: mails.filter(({ text }) => !text.includes("This is a test")),
    posted: posted.filter(({ body }) => !body.includes("This is a test")),
  };
  const named = (texts: readonly string[]) => new Set(texts.join().match(/45\.83\.64\.\d+/g)).size;
  const isThere = [news.mails.map(({ text }) => text), news.posted.map(({ body }) => body)].every(
    (texts) => named(texts) >= addresses,
  );
  return isThere ? news : undefined;
}
