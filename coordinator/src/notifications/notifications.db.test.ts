import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { LIST_FEEDS, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { News } from "./news.ts";
import { startNotifications, type TestNotifications } from "./notifications.fixture.ts";
import { notifyOnce } from "./notifications-jobs.ts";
import { selectFailingChannels, selectMessages } from "./queries.ts";

test("the first listing of an address is told by mail and webhook, once, however often it is looked", async (t) => {
  const told = await startNotifications(t);
  const [one, other] = [await told.agent("one"), await told.agent("other")];
  await told.sight(one, "5.6.7.8");
  await told.sight(other, "5.6.7.8", { jail: "dovecot" });
  for (let turn = 0; turn < 3; turn += 1) await told.notify();
  const [message, ...others] = told.messages();
  assert.deepEqual(others, []);
  assert.equal(message!.subject, "fleetban: 1 address listed for the first time");
  assert.match(message!.text, /5\.6\.7\.8 on fleet until \S+ \S+ UTC: sshd, 5 failures on 1 server/);
  assert.deepEqual(message!.counts, { first_listings: 1 });
  const [mail, ...mails] = told.smtp.mails;
  assert.deepEqual(mails, []);
  assert.equal(mail!.headers.subject, message!.subject);
  assert.equal(mail!.text.trimEnd(), message!.text.trimEnd());
  const { headers, body } = told.webhook.taken[0]!;
  assert.equal(headers["x-fleetban-signature"], `sha256=${createHmac("sha256", "shared").update(body).digest("hex")}`);
  assert.equal(headers["idempotency-key"], message!.id);
});

test("old bans are no news: restored, brought in, listed by a feed, sent again or long over", async (t) => {
  const told = await startNotifications(t);
  const agent = await told.agent("one");
  await told.sight(agent, "5.6.7.1", { kind: "restored" });
  await told.sight(agent, "5.6.7.2", { source: "import" });
  const before = told.ledger.ledgerTimeMs() - 3 * 86_400_000;
  await told.sight(agent, "5.6.7.3", { bannedAtMs: before, banSeconds: 20 * 86_400 });
  await told.store.sql`
    insert into strikes (strike_no, prefix, list_no, struck_at, until, policy_no, agents, summary, revision)
    values (nextval('strike_numbers'), '5.6.7.5', 2, clock_timestamp() - '3d'::interval, clock_timestamp() + '3d', 0, '{1}',
      '{}', 1)`;
  await told.ledger.write({ kind: "feed" }, async (_, now) => [
    {
      list: LIST_FEEDS,
      prefix: parsePrefix("5.6.7.4"),
      to: { until: unixSeconds(now + 600), rank: RANK.feedHigh, reasons: [{ kind: "feed", key: "1" }] },
    },
  ]);
  await told.notify();
  assert.deepEqual(told.messages(), []);
});

test("what struck before notifications were configured is no news, and never a first listing again", async (t) => {
  const told = await startNotifications(t);
  const agent = await told.agent("one");
  const now = told.ledger.ledgerTimeMs();
  await told.sight(agent, "5.6.7.8", { bannedAtMs: now - 20 * 3_600_000, banSeconds: 86_400 });
  await notifyOnce({ ...told.parts, channels: [] }, new AbortController().signal);
  await told.notify();
  await told.sight(agent, "5.6.7.8", { bannedAtMs: now });
  await told.notify();
  assert.deepEqual(told.messages(), []);
});

test("an offender that comes back for the third time is told as a repeat offender, and not at the fourth", async (t) => {
  const told = await startNotifications(t);
  told.route("first_listings", { to: [] });
  const agent = await told.agent("one");
  const now = told.ledger.ledgerTimeMs();
  for (const hoursAgo of [20, 15, 8]) {
    await told.sight(agent, "5.6.7.8", { bannedAtMs: now - hoursAgo * 3_600_000, banSeconds: 86_400 });
    await told.notify();
  }
  const repeats = () => newsOf(told, "repeat_offenders");
  assert.deepEqual(
    repeats().map((news) => "strikes" in news && [news.prefix, news.strikes]),
    [["5.6.7.8", 3]],
  );
  await told.sight(agent, "5.6.7.8", { bannedAtMs: now, banSeconds: 86_400 });
  await told.notify();
  assert.equal(repeats().length, 1);
});

test("news are gathered for as long as their topic says, and told together", async (t) => {
  const told = await startNotifications(t);
  told.route("first_listings", { everySeconds: 3_600 });
  const agent = await told.agent("one");
  for (let last = 1; last <= 30; last += 1) {
    await told.sight(agent, `5.6.7.${last}`);
    if (last % 10 === 0) await told.notify();
  }
  assert.deepEqual(told.messages(), []);
  await told.pass(3_601);
  await told.notify();
  const [message] = told.messages();
  assert.equal(message!.subject, "fleetban: 30 addresses listed for the first time");
  assert.equal(message!.news.length, 20);
  assert.match(message!.text, /… and 10 more/);
  assert.equal(told.messages().length, 1);
});

test("a channel gets no more messages an hour than the policy allows, and the rest in the next one", async (t) => {
  const told = await startNotifications(t);
  told.setPolicy({ messagesPerHour: 2 });
  const agent = await told.agent("one");
  for (let last = 1; last <= 5; last += 1) {
    await told.sight(agent, `5.6.7.${last}`);
    await told.notify();
  }
  assert.deepEqual(
    told.messages().map(({ counts }) => counts.first_listings),
    [1, 1],
  );
  await told.pass(3_601);
  await told.notify();
  assert.equal(told.messages().at(-1)!.counts.first_listings, 3);
});

test("a hold is told when it is opened, one that is resolved before its message is not", async (t) => {
  const told = await startNotifications(t);
  told.route("holds", { everySeconds: 60 });
  const { sql } = told.store;
  await sql`insert into holds (subject, prefix, reason) values ('prefix', '5.6.7.8', 'decide failed')`;
  await sql`
    insert into holds (subject, subject_no, reason, resolved_at) values ('feed', 1, 'shrank', clock_timestamp())`;
  await sql`insert into holds (subject, prefix, reason) values ('prefix', '5.6.7.9', 'decide failed, too')`;
  await told.notify();
  await sql`update holds set resolved_at = clock_timestamp() where hold_no = 3`;
  await told.pass(61);
  for (let turn = 0; turn < 3; turn += 1) await told.notify();
  assert.deepEqual(
    told.messages().map(({ counts }) => counts),
    [{ holds: 1 }],
  );
  assert.match(told.messages()[0]!.text, /hold 1, prefix 5\.6\.7\.8\/32: decide failed\n {2}see: fleetban holds list/);
});

test("an agent that is gone is told once, and that it is back; a coordinator's start makes nobody gone", async (t) => {
  const told = await startNotifications(t);
  const agent = await told.agent("web1");
  await told.notify();
  told.online.delete(agent);
  await told.notify();
  assert.deepEqual(told.messages(), []);
  await told.pass(601);
  const fresh = { ...told.parts, startedMs: told.parts.clock.monotonicMs() };
  await notifyOnce(fresh, new AbortController().signal);
  assert.deepEqual(told.messages(), [], "it has just started");
  for (let turn = 0; turn < 3; turn += 1) await told.notify();
  await told.pass(86_400);
  await told.notify();
  assert.deepEqual(
    newsOf(told, "agents").map((news) => "agent" in news && [news.agent, news.state]),
    [["web1", "gone"]],
  );
  told.online.add(agent);
  for (let turn = 0; turn < 3; turn += 1) await told.notify();
  assert.deepEqual(
    newsOf(told, "agents").map((news) => "agent" in news && news.state),
    ["gone", "back"],
  );
});

test("each topic goes where the policy says", async (t) => {
  const told = await startNotifications(t);
  told.route("first_listings", { to: ["hook"] });
  told.route("holds", { to: ["mail"] });
  const agent = await told.agent("one");
  await told.sight(agent, "5.6.7.8");
  await told.store.sql`insert into holds (subject, prefix, reason) values ('prefix', '5.6.7.9', 'decide failed')`;
  await told.notify();
  assert.deepEqual(
    told.messages().map(({ counts }) => counts),
    [{ first_listings: 1 }],
  );
  assert.deepEqual(
    told.smtp.mails.map(({ headers }) => headers.subject),
    ["fleetban: 1 hold waits for an operator"],
  );
});

test("an outage of a channel delays its message, which arrives once, and holds up no other", async (t) => {
  const told = await startNotifications(t);
  told.webhook.answer(503, 2);
  const agent = await told.agent("one");
  await told.sight(agent, "5.6.7.8");
  for (let turn = 0; turn < 5; turn += 1) {
    await told.notify();
    await told.pass(7_200);
  }
  assert.equal(told.smtp.mails.length, 1);
  assert.equal(told.messages().length, 1);
  assert.equal(told.webhook.posted.length, 3);
  const ids = new Set(told.webhook.posted.map(({ headers }) => headers["idempotency-key"]));
  assert.equal(ids.size, 1);
});

test("a receiver that never answers is not told the same for ever, one that refuses is told to the operator", async (t) => {
  const told = await startNotifications(t);
  told.route("first_listings", { to: ["hook"] });
  told.webhook.answer(0, 100);
  const agent = await told.agent("one");
  await told.sight(agent, "5.6.7.8");
  for (let turn = 0; turn < 6; turn += 1) {
    await told.notify();
    await told.pass(3_700);
  }
  assert.equal(told.webhook.posted.length, 3);
  const [message] = await selectMessages(told.store.sql, 10);
  assert.deepEqual([message!.state, message!.attempts], ["refused", 3]);
  assert.match(message!.problem, /^given up: 127\.0\.0\.1:\d+: no answer/);
  assert.deepEqual(await selectFailingChannels(told.store.sql, 3), ["hook"]);
});

test("of two replicas one finds the news and one sends each message", async (t) => {
  const told = await startNotifications(t);
  const agent = await told.agent("one");
  for (let last = 1; last <= 5; last += 1) await told.sight(agent, `5.6.7.${last}`);
  const other = { ...told.parts, store: await told.database.open() };
  await Promise.all([told.notify(), notifyOnce(other, new AbortController().signal)]);
  await told.notify();
  const all = told.messages().flatMap(({ news }) => news);
  assert.equal(all.length, 5);
  assert.equal(new Set(told.messages().map(({ id }) => id)).size, told.messages().length);
});

function newsOf(told: TestNotifications, topic: string): readonly News[] {
  return told
    .messages()
    .flatMap(({ news }) => news)
    .filter((news) => news.topic === topic);
}
