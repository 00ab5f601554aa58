import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_EXEMPT, LIST_FLEET, type Listing } from "@fleetban/proto/model/listing";
import type { ChangeResponse } from "@fleetban/proto/wire/admin";
import { CODE_KEY, HINT_KEY } from "@fleetban/proto/wire/error-metadata";
import type { ServiceError } from "@grpc/grpc-js";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";

const ACT = { seconds: 0, reason: "", waitMs: 0, dryRun: false, yes: false };

test("a ban is listed on fleet with rank 0, and taken off again by its number", async (t) => {
  const coordinator = await startCoordinator(t);
  const banned = await ban(coordinator, "8.8.8.0/24", { seconds: 3_600, reason: "scans us" });
  assert.match(banned.done[0]!, /^ban 1: 8\.8\.8\.0\/24 is listed on fleet until 20\d\d-/);
  const listing = await listed(coordinator, LIST_FLEET, "8.8.8.0/24");
  assert.equal(listing.rank, 0);
  const removed = await unary(coordinator.admin, coordinator.admin.removeBan, { what: "1", reason: "", waitMs: 0 });
  assert.deepEqual(removed.done, ["ban 1 of 8.8.8.0/24 is ended"]);
  await gone(coordinator, LIST_FLEET, "8.8.8.0/24");
  assert.match(
    await refusal(unary(coordinator.admin, coordinator.admin.removeBan, { what: "1", reason: "", waitMs: 0 })),
    /^not-found: ban 1: is not in force/,
  );
});

test("what can't be banned is refused with code, words and remedy, and nothing is changed", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.enroll("web1", { addresses: [Buffer.from([8, 8, 4, 4])] });
  assert.ok(agent.agentId);
  const refusals: string[] = [];
  for (const prefix of ["0.0.0.0/0", "::/0", "10.0.0.1", "1.2.3", "1.2.3.4/33", "8.8.4.4"])
    refusals.push(await refusal(ban(coordinator, prefix)));
  assert.deepEqual(refusals, [
    "too-wide: prefix 0.0.0.0/0: is the whole internet; the widest that can be banned is /8 | name a narrower network, such as 8.8.8.0/24",
    "too-wide: prefix ::/0: is the whole internet; the widest that can be banned is /19 | name a narrower network, such as 2001:4860::/32",
    "protected-range: prefix 10.0.0.1: is inside 10.0.0.0/8, a protected range (private use, RFC 1918) | only globally reachable unicast addresses can be banned",
    "bad-prefix: prefix 1.2.3: is a short form; write all four numbers | write all four numbers",
    "bad-prefix: prefix 1.2.3.4/33: length must be 0 to 32; write 1.2.3.4 for one address | write 1.2.3.4 for one address",
    "protected-address: prefix 8.8.4.4: is an address of agent web1, which is never listed | to cut off a server of the fleet use `fleetban agents revoke NAME`; it may still be banned by your own firewall",
  ]);
  assert.equal(coordinator.ledger.lists().find(({ list }) => list.list === LIST_FLEET)!.listings, 0);
});

test("a wide ban shows its plan and wants --yes; a dry run changes nothing", async (t) => {
  const coordinator = await startCoordinator(t);
  const asked = await ban(coordinator, "8.0.0.0/9");
  assert.equal(asked.needsYes, true);
  const dry = await ban(coordinator, "8.8.8.8", { dryRun: true });
  assert.equal(dry.needsYes, false);
  assert.match(dry.done[0]!, /8\.8\.8\.8 is listed on fleet until an operator ends it/);
  const [row] = await coordinator.store.sql<{ bans: number; audits: number }[]>`
    select (select count(*) from bans)::int as bans, (select count(*) from audit_log)::int as audits`;
  assert.deepEqual(row, { bans: 0, audits: 0 });
  const done = await ban(coordinator, "8.0.0.0/9", { yes: true });
  assert.equal(done.needsYes, false);
  await listed(coordinator, LIST_FLEET, "8.0.0.0/9");
});

test("an unban pardons: the listing goes, an exempt entry stays, and the next sighting does not list again", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  agent.sight(["8.8.8.8"], 1);
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
  const answer = await unban(coordinator, "8.8.8.8", { reason: "a mistake" });
  assert.deepEqual(answer.done.slice(1), [
    "8.8.8.8 is taken off fleet",
    "every server's fail2ban lifts what it banned of it before now",
  ]);
  await gone(coordinator, LIST_FLEET, "8.8.8.8");
  const entry = await listed(coordinator, LIST_EXEMPT, "8.8.8.8");
  assert.equal(entry.rank, 1);
  assert.ok(entry.begun > 0 && entry.until > entry.begun);
  agent.sight(["8.8.8.8", "9.9.9.9"], 2);
  await listed(coordinator, LIST_FLEET, "9.9.9.9");
  assert.equal(coordinator.ledger.get(LIST_FLEET, "8.8.8.8" as never), undefined);
});

test("what was seen before an unban lists nothing when the pardon ends, what is seen after it does", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const agent = await connected(coordinator, "web1");
  agent.sight(["8.8.8.8"], 1);
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
  await unban(coordinator, "8.8.8.8");
  await unary(admin, admin.removePardon, { what: "8.8.8.8", reason: "", waitMs: 0 });
  await gone(coordinator, LIST_EXEMPT, "8.8.8.8");
  assert.equal((await unary(admin, admin.explain, { prefix: "8.8.8.8" })).state, "not-listed");
  const endedMs = Date.now();
  await until("the next second: evidence counts from then on", () => Date.now() > endedMs + 2_000);
  agent.sight(["8.8.8.8"], 2, { atMs: endedMs + 60_000 }); // by its own clock: not the same ban said twice
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
});

test("an unban of one IPv6 address pardons its /64, with --exact the address alone", async (t) => {
  const coordinator = await startCoordinator(t);
  assert.equal((await unban(coordinator, "2a00:1:2:3::4")).prefix, "2a00:1:2:3::/64");
  assert.equal((await unban(coordinator, "2a00:1:2:9::4", { exact: true })).prefix, "2a00:1:2:9::4");
});

test("an unban works for what is not listed, tells so, and with --local has its own rank", async (t) => {
  const coordinator = await startCoordinator(t);
  const answer = await unban(coordinator, "8.8.8.8", { local: true, seconds: 60 });
  assert.ok(answer.done.includes("8.8.8.8 was not listed: nothing to take off"));
  assert.ok(answer.done.includes("every server's fail2ban lifts what it banned of it before now or bans until then"));
  assert.equal((await listed(coordinator, LIST_EXEMPT, "8.8.8.8")).rank, 2);
});

test("an unban inside a wider ban makes a hole and leaves the ban; a ban of the pardoned ends the pardon", async (t) => {
  const coordinator = await startCoordinator(t);
  await ban(coordinator, "8.8.8.0/24");
  await listed(coordinator, LIST_FLEET, "8.8.8.0/24");
  const hole = await unban(coordinator, "8.8.8.8");
  assert.ok(hole.done.includes("8.8.8.0/24 stays listed, with a hole for 8.8.8.8"));
  const again = await ban(coordinator, "8.8.8.8");
  assert.ok(again.done.includes("pardon 1 of 8.8.8.8 is ended"));
  await gone(coordinator, LIST_EXEMPT, "8.8.8.8");
  assert.equal((await listed(coordinator, LIST_FLEET, "8.8.8.8")).rank, 0);
});

test("what is allowed, or pardoned with more around it, is not banned without a word", async (t) => {
  const coordinator = await startCoordinator(t);
  await allow(coordinator, "8.8.8.0/24");
  assert.equal(
    await refusal(ban(coordinator, "8.8.8.8")),
    "not-possible-now: prefix 8.8.8.8: is on the allowlist (8.8.8.0/24, number 1) | take it off first: fleetban allowlist remove 1",
  );
  await unban(coordinator, "2a00:1:2:3::4");
  assert.match(
    await refusal(ban(coordinator, "2a00:1:2:3::5")),
    /is pardoned with 2a00:1:2:3::\/64 .*fleetban pardons remove 1/,
  );
});

test("allowing takes listings off and keeps new ones away; taking it back ends that", async (t) => {
  const coordinator = await startCoordinator(t);
  await ban(coordinator, "8.8.8.8");
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
  const answer = await allow(coordinator, "8.8.8.0/24");
  assert.deepEqual(answer.done.slice(1), ["ban 1 of 8.8.8.8 is ended", "1 listing in 8.8.8.0/24 is taken off fleet"]);
  await gone(coordinator, LIST_FLEET, "8.8.8.8");
  assert.equal((await listed(coordinator, LIST_EXEMPT, "8.8.8.0/24")).rank, 0);
  await unary(coordinator.admin, coordinator.admin.removeAllowed, { what: "8.8.8.0/24", reason: "", waitMs: 0 });
  await gone(coordinator, LIST_EXEMPT, "8.8.8.0/24");
  await ban(coordinator, "8.8.8.8");
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
});

test("--wait returns when every agent online has reported it, and names those that have not", async (t) => {
  const coordinator = await startCoordinator(t);
  const [good, stuck] = [await connected(coordinator, "good"), await connected(coordinator, "stuck")];
  assert.ok(good.welcome);
  const all = await ban(coordinator, "8.8.8.8", { waitMs: 60_000 });
  assert.deepEqual([all.agentsApplied, all.agentsMissing], [2, []]);
  stuck.pause();
  let some = await ban(coordinator, "9.9.9.9", { waitMs: 300 });
  for (let waitMs = 600; some.agentsApplied === 0 && waitMs < 30_000; waitMs *= 2) {
    some = await ban(coordinator, `9.9.${waitMs / 600}.9`, { waitMs }); // on a busy machine the good one needs longer
  }
  assert.deepEqual([some.agentsApplied, some.agentsMissing], [1, ["stuck"]]);
  stuck.resume();
});

test("a kernel that lacks one entry is told apart from one that agrees, by its digest", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const [good, drifted] = [await connected(coordinator, "good"), await connected(coordinator, "drifted")];
  assert.ok(good.welcome);
  drifted.lostEntries.add("8.8.4.4");
  await ban(coordinator, "8.8.8.8", { waitMs: 60_000 });
  await ban(coordinator, "8.8.4.4", { waitMs: 60_000 });
  const { agents } = await unary(admin, admin.listAgents, { agent: "" });
  const fleetOf = agents.map(({ name, lists }) => [name, lists.find((list) => list.name === "fleet")!.kernelAgrees]);
  assert.deepEqual(fleetOf, [
    ["drifted", "no"],
    ["good", "yes"],
  ]);
});

test("a probe goes to each agent that is online, and one that does not answer is told", async (t) => {
  const coordinator = await startCoordinator(t);
  const [one, deaf] = [await connected(coordinator, "one"), await connected(coordinator, "deaf")];
  assert.ok(one.welcome);
  deaf.isAlive = false;
  const probeAll = (timeoutMs: number) => coordinator.admin.probeAgents({ agent: "", timeoutMs }).toArray();
  let timeoutMs = 300;
  let probes = await probeAll(timeoutMs);
  for (; probes[1]?.error !== "" && timeoutMs < 30_000; probes = await probeAll(timeoutMs)) timeoutMs *= 2;
  const told = probes.map(({ name, error, addedUs, testedUs, removedUs, rulePresent }) => [
    name,
    error,
    addedUs,
    testedUs,
    removedUs,
    rulePresent,
  ]);
  assert.deepEqual(told, [
    ["deaf", `no answer within ${timeoutMs} ms`, 0, 0, 0, false],
    ["one", "", 10, 20, 30, true],
  ]);
  assert.ok(probes[1]!.totalUs >= 60);
});

test("every act is in the audit log, and a changed record breaks its chain", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin, store } = coordinator;
  await ban(coordinator, "8.8.8.8", { reason: "scans us" });
  await unban(coordinator, "8.8.8.8");
  await unary(admin, admin.createEnrollment, { uses: 1, validSeconds: 60, group: "", reason: "" });
  const whole = await unary(admin, admin.listAudit, { limit: 10 });
  assert.deepEqual(
    whole.records.map(({ act, subject, reason, actor }) => [act, subject, reason, actor]),
    [
      ["enrollments create", "1", "", "(unknown)"],
      ["unban", "8.8.8.8", "", "(unknown)"],
      ["ban", "8.8.8.8", "scans us", "(unknown)"],
    ],
  );
  assert.equal(whole.brokenAuditNo, 0);
  await store.sql`update audit_log set reason = 'something else' where audit_no = 1`;
  assert.equal((await unary(admin, admin.listAudit, { limit: 10 })).brokenAuditNo, 1);
});

test("explain tells sightings, strikes, verdict, and ways off that work as they stand", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const agent = await connected(coordinator, "web1");
  agent.sight(["8.8.8.8"], 1);
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
  const answer = await unary(admin, admin.explain, { prefix: "8.8.8.8" });
  assert.equal(answer.state, "listed");
  assert.match(answer.verdict, /^8\.8\.8\.8 is listed on fleet until .* UTC \(strike\)$/);
  assert.deepEqual(
    answer.sightings.map(({ agent: name, jail, kind, source, outcome, failures }) => [
      name,
      jail,
      kind,
      source,
      outcome,
      failures,
    ]),
    [["web1", "sshd", "ban", "fail2ban", "counted", 5]],
  );
  assert.deepEqual([answer.sightingsTotal, answer.agents, answer.strikes.length], [1, 1, 1]);
  assert.deepEqual(answer.strikes[0]!.agents, ["web1"]);
  assert.deepEqual(answer.waysOff.slice(0, 2), ["fleetban unban 8.8.8.8", "fleetban allow 8.8.8.8"]);
  assert.match(answer.waysOff[2]!, /^by itself at 20/);
  const pieces = ({ evidence }: typeof answer) => evidence.map(({ kind, counts }) => (counts ? kind : `(${kind})`));
  assert.deepEqual(pieces(answer), ["sightings", "sum", "strike", "next"]);
  assert.match(answer.evidence[0]!.text, /^web1: 1 ban by sshd \(fail2ban, tcp\), the last 20.*; weigh 1 now$/);
  assert.equal(answer.evidence[0]!.without, "not listed: nothing in force");

  await unban(coordinator, "8.8.8.8", { reason: "a friend" });
  const pardoned = await unary(admin, admin.explain, { prefix: "8.8.8.8" });
  assert.equal(pardoned.state, "pardoned");
  assert.match(
    pardoned.verdict,
    /^8\.8\.8\.8 is let through: 8\.8\.8\.8 is pardoned until .*, by \(unknown\): a friend$/,
  );
  assert.deepEqual(pardoned.waysOff, ["fleetban pardons remove 1"]);
  assert.deepEqual(pieces(pardoned), ["pardoned", "(sightings)", "(sum)", "(strike)", "next"]);
  const [pardon] = pardoned.evidence;
  assert.equal(
    pardon!.without,
    "not listed: nothing in force",
    "what was seen before its end does not count then either",
  );

  await unary(admin, admin.allow, { ...ACT, prefix: "8.8.8.0/24" });
  const twice = await unary(admin, admin.explain, { prefix: "8.8.8.8" });
  assert.equal(twice.state, "allowed");
  assert.match(twice.verdict, /: 8\.8\.8\.0\/24 is on the allowlist .*; and 8\.8\.8\.8 is pardoned until /);
  assert.deepEqual(twice.waysOff, ["fleetban allowlist remove 1 && fleetban pardons remove 1"]);

  assert.equal((await unary(admin, admin.explain, { prefix: "10.0.0.1" })).state, "protected");
  const unknown = await unary(admin, admin.explain, { prefix: "2a00:1::1" });
  assert.deepEqual(
    [unknown.state, unknown.verdict],
    ["not-listed", "2a00:1::1 is not listed: no agent has sighted it and no feed names it"],
  );
});

test("explain of an address in a banned network says what lists it", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  await ban(coordinator, "8.8.0.0/16");
  await listed(coordinator, LIST_FLEET, "8.8.0.0/16");
  const answer = await unary(admin, admin.explain, { prefix: "8.8.8.8" });
  assert.equal(answer.verdict, "8.8.8.8 is listed on fleet with 8.8.0.0/16 until an operator ends it (ban)");
  assert.deepEqual(answer.waysOff, ["fleetban bans remove 1", "fleetban unban 8.8.8.8", "fleetban allow 8.8.8.8"]);
});

test("explain names the end of a ban as a way off only where nothing else lists the address", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const agent = await connected(coordinator, "web1");
  agent.sight(["8.8.8.8"], 1);
  await listed(coordinator, LIST_FLEET, "8.8.8.8");
  await ban(coordinator, "8.8.8.8", { waitMs: 60_000 });
  const answer = await unary(admin, admin.explain, { prefix: "8.8.8.8" });
  assert.deepEqual(answer.waysOff, ["fleetban unban 8.8.8.8", "fleetban allow 8.8.8.8"]);
  const around = await unary(admin, admin.explain, { prefix: "8.8.8.0/24" });
  assert.match(around.verdict, /^8\.8\.8\.0\/24 is not listed: .*; something inside it is listed$/);
});

test("status, lists and listings tell what is there", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  await connected(coordinator, "web1");
  await ban(coordinator, "8.8.8.8", { waitMs: 60_000 });
  const status = await unary(admin, admin.getStatus, {});
  assert.deepEqual(
    status.lists.map(({ name, effect, listings }) => [name, effect, listings]),
    [
      ["exempt", "exempt", 0],
      ["fleet", "deny", 1],
      ["feeds", "deny", 0],
      ["probe", "deny", 0],
      ["trial", "deny", 0],
    ],
  );
  assert.deepEqual(
    status.agents.map(({ name, state }) => [name, state]),
    [["web1", "online"]],
  );
  assert.ok(status.agents[0]!.lists.every(({ mirrorAgrees }) => mirrorAgrees));
  const pages = await admin.listListings({ list: "", prefix: "8.8.0.0/16", limit: 0 }).toArray();
  const listings = pages.flatMap((page) => page.listings);
  assert.deepEqual(
    listings.map(({ list, prefix, rank, reasons }) => [list, prefix, rank, reasons]),
    [["fleet", "8.8.8.8", 0, ["ban"]]],
  );
  const wrong = admin.listListings({ list: "nope", prefix: "", limit: 0 }).toArray();
  assert.match(
    await refusal(wrong),
    /^not-found: list nope: does not exist \| there are: exempt, fleet, feeds, probe, trial/,
  );
});

async function connected(coordinator: TestCoordinator, name: string): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll(name)));
  await agent.connect();
  await until(`the first snapshots of ${name}`, () => agent.mirrors.size === 4);
  return agent;
}

function ban({ admin }: TestCoordinator, prefix: string, wish: Partial<typeof ACT> = {}): Promise<ChangeResponse> {
  return unary(admin, admin.ban, { ...ACT, prefix, ...wish });
}

function unban(
  { admin }: TestCoordinator,
  prefix: string,
  wish: Partial<typeof ACT & { exact: boolean; local: boolean }> = {},
) {
  return unary(admin, admin.unban, { ...ACT, exact: false, local: false, prefix, ...wish });
}

function allow({ admin }: TestCoordinator, prefix: string): Promise<ChangeResponse> {
  return unary(admin, admin.allow, { ...ACT, prefix });
}

function listed({ ledger }: TestCoordinator, list: typeof LIST_FLEET, prefix: string) {
  return until<Listing>(`${prefix} on list ${list}`, () => ledger.get(list, prefix as never) as Listing);
}

function gone({ ledger }: TestCoordinator, list: typeof LIST_FLEET, prefix: string) {
  return until(`${prefix} off list ${list}`, () => ledger.get(list, prefix as never) === undefined);
}

/** `code: message | hint`. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { details, metadata } = error as ServiceError;
    const [hint] = metadata.get(HINT_KEY);
    return `${metadata.get(CODE_KEY)[0]}: ${details}${hint === undefined ? "" : ` | ${hint}`}`;
  }
  return "(none)";
}
