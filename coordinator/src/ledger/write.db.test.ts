import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLE, LIST_EXEMPT, LIST_FEEDS, LIST_FLEET, LIST_PROBE, PARDONED, rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { createTestDatabase } from "../store/test-database.ts";
import { eventually } from "./eventually.fixture.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import type { ListChange } from "./ledger.ts";
import { assertRecounted } from "./recount.fixture.ts";
import { batchOf, sightingOf } from "./sightings.fixture.ts";

const far = unixSeconds(2_000_000_000);

test("a write that changes nothing makes no revision, and one that fails changes nothing", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  assert.equal((await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "198.50.0.1")])).revision, 1);
  const again = await ledger.write({ kind: "feed" }, async () => [
    put(LIST_FEEDS, "198.50.0.1"),
    gone(LIST_FEEDS, "198.50.0.2"),
  ]);
  assert.deepEqual(again, { revision: undefined, changed: 0, refused: [] });
  const failing = ledger.write({ kind: "operator" }, async (sql) => {
    await sql`insert into bans (prefix, reason, author) values ('198.50.0.3', 'x', 'y')`;
    throw new Error("changed my mind");
  });
  await assert.rejects(failing, /changed my mind/);
  assert.deepEqual([...(await store.sql`select from bans`)], []);
  const wide = Array.from({ length: 2_001 }, (_, at) => put(LIST_FEEDS, `20.0.${at >> 8}.${at & 255}`));
  await assert.rejects(
    ledger.write({ kind: "feed" }, async () => wide),
    { code: "too-many-changes" },
  );
  await assertRecounted(store, [ledger]);
});

test("what must never be listed is refused: an operator is told, a feed goes on without it", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await ledger.setAgentAddresses(1, [{ address: parsePrefix("198.50.0.7"), origin: "observed" }]);
  await store.sql`insert into allowlist (prefix, reason, author) values ('198.50.1.0/24', 'ours', 'test')`;
  await store.sql`insert into pardons (prefix, reason, author) values ('198.50.2.2', 'sorry', 'test')`;
  await store.sql`insert into pardons (prefix, reason, author, ended_at) values ('198.50.3.3', 'once', 'test', now())`;
  for (const prefix of ["10.0.0.0/8", "0.0.0.0/0", "::/0", "127.0.0.1", "2001:db8::1", "198.50.0.7"]) {
    const write = ledger.write({ kind: "operator" }, async () => [put(LIST_FLEET, prefix)]);
    await assert.rejects(write, { code: "protected-prefix" }, prefix);
  }
  const wanted = ["192.168.0.0/16", "198.50.0.7", "198.50.1.1", "198.50.2.2", "198.50.3.3", "198.50.9.9"];
  const written = await ledger.write({ kind: "feed" }, async () => wanted.map((prefix) => put(LIST_FEEDS, prefix)));
  assert.deepEqual([...written.refused].sort(), ["192.168.0.0/16", "198.50.0.7", "198.50.1.1", "198.50.2.2"]);
  assert.equal(written.changed, 2);
  const probe = (prefix: string) => ledger.write({ kind: "operator" }, async () => [put(LIST_PROBE, prefix)]);
  await assert.rejects(probe("198.50.9.9"), { code: "protected-prefix" });
  assert.equal((await probe("192.0.2.9")).changed, 1);
});

test("an agent's address inside a wider listing is a hole on exempt, for as long as the listing", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const address = parsePrefix("198.50.0.7");
  const hole = () => ledger.get(LIST_EXEMPT, address);
  await ledger.setAgentAddresses(1, [{ address, origin: "observed" }]);
  await ledger.setAgentAddresses(2, [{ address: parsePrefix("198.50.0.8"), origin: "claimed" }]);
  assert.equal(hole(), undefined);
  await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "198.50.0.0/24", 1_900_000_000)]);
  assert.deepEqual([hole()?.rank, hole()?.until], [HOLE, 1_900_000_000]);
  await ledger.write({ kind: "operator" }, async () => [put(LIST_FLEET, "198.50.0.0/16", 0)]);
  assert.equal(hole()?.until, 0);
  await ledger.write({ kind: "operator" }, async () => [gone(LIST_FLEET, "198.50.0.0/16")]);
  assert.equal(hole()?.until, 1_900_000_000);
  // A pardon of the same address comes and goes over the hole.
  const pardon = {
    until: far,
    rank: PARDONED,
    begun: unixSeconds(5),
    reasons: [{ kind: "pardon" as const, key: "1" }],
  };
  await ledger.write({ kind: "operator" }, async () => [{ list: LIST_EXEMPT, prefix: address, to: pardon }]);
  assert.deepEqual([hole()?.rank, hole()?.until, hole()?.begun], [PARDONED, far, 5]);
  await ledger.write({ kind: "operator" }, async () => [gone(LIST_EXEMPT, "198.50.0.7")]);
  assert.deepEqual([hole()?.rank, hole()?.until], [HOLE, 1_900_000_000]);
  // The agent moves: its new address gets a hole, the claim that it dropped loses its own.
  assert.equal(ledger.get(LIST_EXEMPT, parsePrefix("198.50.0.8"))?.rank, HOLE);
  await ledger.setAgentAddresses(2, [{ address: parsePrefix("198.50.0.9"), origin: "observed" }]);
  assert.equal(ledger.get(LIST_EXEMPT, parsePrefix("198.50.0.9"))?.rank, HOLE);
  assert.equal(ledger.get(LIST_EXEMPT, parsePrefix("198.50.0.8")), undefined);
  await ledger.write({ kind: "feed" }, async () => [gone(LIST_FEEDS, "198.50.0.0/24")]);
  assert.equal(ledger.lists().find(({ list }) => list.list === LIST_EXEMPT)?.listings, 0);
  await assertRecounted(store, [ledger]);
});

test("an observed address comes off the lists at once, a claim on a listed or widely sighted one is held", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "198.50.0.1"), put(LIST_FEEDS, "198.50.0.2")]);
  const sighted = [1, 2, 3].map((agentNo) =>
    ledger.commitSightings(batchOf(ledger, agentNo, 1, [sightingOf(ledger, "198.50.0.3")], `spool ${agentNo}`)),
  );
  await Promise.all(sighted);
  await ledger.write({ kind: "expiry" }, async () => [gone(LIST_FLEET, "198.50.0.3")]);
  const claims = ["198.50.0.1", "198.50.0.3", "198.50.0.4", "192.168.1.1", "198.50.8.0/24"];
  const { held } = await ledger.setAgentAddresses(9, [
    { address: parsePrefix("198.50.0.2"), origin: "observed" },
    ...claims.map((address) => ({ address: parsePrefix(address), origin: "claimed" as const })),
  ]);
  assert.deepEqual([...held].sort(), ["198.50.0.1", "198.50.0.3"]);
  assert.deepEqual(
    ledger.protectedAddresses().map(({ address, origin }) => `${address} ${origin}`),
    ["198.50.0.2 observed", "198.50.0.4 claimed"],
  );
  assert.equal(ledger.get(LIST_FEEDS, parsePrefix("198.50.0.2")), undefined);
  assert.ok(ledger.get(LIST_FEEDS, parsePrefix("198.50.0.1")));
  const holds = await store.sql<{ prefix: string; subject_no: number }[]>`
    select prefix::text, subject_no from holds where subject = 'claim' order by prefix`;
  assert.deepEqual(
    holds.map(({ prefix, subject_no }) => `${prefix} ${subject_no}`),
    ["198.50.0.1/32 9", "198.50.0.3/32 9"],
  );
  // The operator says that it is right; the agent claims it, or no longer does.
  await ledger.setAgentAddresses(9, [{ address: parsePrefix("198.50.0.1"), origin: "approved" }]);
  await ledger.setAgentAddresses(9, []);
  assert.deepEqual(
    ledger.protectedAddresses().map(({ address }) => address),
    ["198.50.0.1", "198.50.0.2"],
  );
  await store.sql`
    insert into agents (agent_no, agent_id, name, state) overriding system value
    values (9, gen_random_uuid(), 'nine', 'revoked')`;
  await ledger.setAgentAddresses(9, []);
  assert.deepEqual(ledger.protectedAddresses(), []);
  const many = Array.from({ length: 20 }, (_, at) => ({
    address: parsePrefix(`198.60.0.${at}`),
    origin: "claimed" as const,
  }));
  await ledger.setAgentAddresses(10, many);
  assert.equal(ledger.protectedAddresses().filter(({ agentNo }) => agentNo === 10).length, 16);
});

test("a claim that lies inside a wider listing is held: it opens no hole", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "198.50.0.0/16"), put(LIST_FEEDS, "2600:1::/32")]);
  const claims = ["198.50.0.1", "2600:1:2:3::4", "198.60.0.1"].map((address) => parsePrefix(address));
  const { held } = await ledger.setAgentAddresses(
    9,
    claims.map((address) => ({ address, origin: "claimed" })),
  );
  assert.deepEqual([...held].sort(), ["198.50.0.1", "2600:1:2:3::4"]);
  assert.equal(ledger.lists().find(({ list }) => list.list === LIST_EXEMPT)?.listings, 0);
});

test("of the addresses at which an agent is seen, eight a week are trusted; the ninth is a claim", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const addresses = Array.from({ length: 10 }, (_, at) => parsePrefix(`198.50.0.${at}`));
  await ledger.write({ kind: "feed" }, async () => addresses.map((prefix) => put(LIST_FEEDS, prefix)));
  const seenAt = async (at: number) => {
    const wanted = { address: addresses[at]!, origin: "observed" as const };
    return (await ledger.setAgentAddresses(9, [wanted])).held;
  };
  for (let at = 0; at < 8; at += 1) {
    assert.deepEqual(await seenAt(at), []);
    // Claimed from elsewhere it still counts among the eight.
    await ledger.setAgentAddresses(9, [{ address: addresses[at]!, origin: "claimed" }]);
  }
  assert.deepEqual(await seenAt(8), [addresses[8]]);
  assert.deepEqual(await seenAt(0), []);
  assert.ok(ledger.get(LIST_FEEDS, addresses[8]!));
  await store.sql`update agent_addresses set seen_at = seen_at - interval '8 days' where address = ${addresses[1]!}`;
  assert.deepEqual(await seenAt(9), []);
  await ledger.setAgentAddresses(
    0,
    Array.from({ length: 12 }, (_, at) => ({ address: parsePrefix(`198.60.0.${at}`), origin: "observed" as const })),
  );
  const own = ledger.protectedAddresses().filter(({ agentNo, origin }) => agentNo === 0 && origin === "observed");
  assert.equal(own.length, 12, "the coordinators' own are not limited");
});

test("an agent has sixteen claims on hold at most", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "198.50.0.0/24")]);
  const claims = Array.from({ length: 40 }, (_, at) => parsePrefix(`198.50.0.${at}`));
  for (const from of [0, 0, 10, 20]) {
    const wanted = claims.slice(from, from + 10).map((address) => ({ address, origin: "claimed" as const }));
    assert.equal((await ledger.setAgentAddresses(9, wanted)).held.length, 10);
  }
  const rows = await store.sql`select from holds where subject = 'claim' and subject_no = 9`;
  assert.equal(rows.length, 16);
});

test("bans, pardons and the allowlist are decided anew from their rows", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const prefix = parsePrefix("198.50.0.1");
  const act = (statement: string) =>
    ledger.write({ kind: "operator" }, async (sql, now) => {
      await sql.unsafe(statement);
      return ledger.decideAnew(sql, [prefix], now);
    });
  const sight = (agentNo: number, spool: string, agoMs = 0) => {
    const bannedAtMs = ledger.ledgerTimeMs() - agoMs;
    return ledger.commitSightings(batchOf(ledger, agentNo, 1, [sightingOf(ledger, prefix, { bannedAtMs })], spool));
  };
  await sight(1, "a", 5_000);
  await act(`insert into bans (prefix, reason, author) values ('${prefix}', 'x', 'y')`);
  assert.deepEqual([ledger.get(LIST_FLEET, prefix)?.rank, ledger.get(LIST_FLEET, prefix)?.until], [0, 0]);
  await act(`update bans set ended_at = now()`);
  assert.equal(ledger.get(LIST_FLEET, prefix)?.rank, 2, "the strike is still in force");
  await act(`insert into pardons (prefix, reason, author) values ('198.50.0.0/24', 'x', 'y')`);
  assert.equal(ledger.get(LIST_FLEET, prefix), undefined);
  await sight(2, "b", 5_000); // well before the pardon's end, however far this clock is from the database's
  await act(`insert into bans (prefix, reason, author) values ('${prefix}', 'x', 'y')`);
  assert.equal(ledger.get(LIST_FLEET, prefix), undefined, "a pardon beats sightings and bans");
  await act(`update bans set ended_at = now()`);
  await act(`update pardons set ended_at = clock_timestamp()`);
  assert.equal(ledger.get(LIST_FLEET, prefix), undefined, "what was sighted before its end is no evidence");
  await eventually("the second of its end is over", async () => {
    await sight(3, `spool ${Math.random()}`);
    return ledger.get(LIST_FLEET, prefix) !== undefined;
  });
  await assertRecounted(store, [ledger]);
});

test("what has expired leaves the ledger later, in slices, and listings inside a prefix are found", async (t) => {
  const database = await createTestDatabase(t);
  const ledger = await openTestLedger(t, database.store, { isIdle: true });
  const longAgo = 1_000_000_000;
  for (let slice = 0; slice < 3; slice += 1) {
    const changes = Array.from({ length: 1_500 }, (_, at) =>
      put(LIST_FEEDS, `20.${slice}.${at >> 8}.${at & 255}`, longAgo),
    );
    await ledger.write({ kind: "feed" }, async () => changes);
  }
  await ledger.write({ kind: "feed" }, async () => [put(LIST_FEEDS, "20.0.0.0/24", 0)]);
  const inside = await ledger.inside(parsePrefix("20.0.0.0/24"), 1_000);
  assert.equal(inside.length, 256);
  assert.deepEqual(
    ledger.covering(parsePrefix("20.0.0.9")).map(({ listing }) => listing.prefix),
    ["20.0.0.0/24", "20.0.0.9"],
  );
  const starting = await openTestLedger(t, await database.open()); // looks at once
  await eventually("the expired are dropped", async () => starting.lists()[2]?.listings === 1);
  const slices = await database.store.sql<{ count: number }[]>`
    select count(*)::int as count from changes where removed group by revision order by revision`;
  assert.deepEqual(
    slices.map(({ count }) => count),
    [2_000, 2_000, 500],
  );
  await assertRecounted(database.store, [ledger, starting]);
});

function put(list: ListChange["list"], prefix: string, until: number = far): ListChange {
  return { list, prefix: parsePrefix(prefix), to: { until: unixSeconds(until), rank: rank(3), reasons: [] } };
}

function gone(list: ListChange["list"], prefix: string): ListChange {
  return { list, prefix: parsePrefix(prefix), to: undefined };
}
