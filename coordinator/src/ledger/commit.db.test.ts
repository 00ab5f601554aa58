import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_EXEMPT, LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Policy } from "../policy/policy.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { batchOf, incarnationOf, outcomes, sightingOf } from "./sightings.fixture.ts";

test("a sighting is durable, listed and in memory when it is acknowledged", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const told: number[][] = [];
  ledger.subscribe((lists) => told.push([...lists]));
  const committed = await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  assert.deepEqual(committed, { seq: 1, overQuota: 0, refused: 0, revision: 1 });
  assert.deepEqual(told, [[LIST_FLEET]]);
  const listing = ledger.get(LIST_FLEET, parsePrefix("198.50.0.1"));
  assert.equal(listing?.rank, RANK.fleet);
  assert.ok(Math.abs(listing!.until - ledger.ledgerTimeMs() / 1000 - 3600) < 60);
  assert.deepEqual(await outcomes(store), { counted: 1 });
});

test("what is sent again is acknowledged, and neither stored nor counted again", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const batch = batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1"), sightingOf(ledger, "198.50.0.2")]);
  await ledger.commitSightings(batch);
  const again = { ...batch, sightings: [...batch.sightings, sightingOf(ledger, "198.50.0.3")] };
  const committed = await ledger.commitSightings(again);
  assert.equal(committed.seq, 3);
  assert.equal((await ledger.commitSightings(batch)).seq, 3);
  assert.deepEqual(await outcomes(store), { counted: 3 });
  const [acked] = await ledger.ackedSpools(1, [batch.incarnation]);
  assert.deepEqual([acked?.seq, acked?.act], [3, again.sightings[2]!.act]);
  assert.deepEqual(await ledger.ackedSpools(2, [batch.incarnation]), []);
});

test("one act is one piece of evidence: told by a second source, from a new spool, a second later", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const bannedAtMs = Math.floor(ledger.ledgerTimeMs() / 2000) * 2000 - 10_000;
  const first = sightingOf(ledger, "198.50.0.1", { bannedAtMs });
  const rounded = sightingOf(ledger, "198.50.0.1", { bannedAtMs: bannedAtMs - 1000, source: "log" });
  const later = sightingOf(ledger, "198.50.0.1", { bannedAtMs: bannedAtMs + 8000 });
  await ledger.commitSightings(batchOf(ledger, 1, 1, [first, rounded]));
  await ledger.commitSightings(batchOf(ledger, 1, 1, [first], "another spool"));
  await ledger.commitSightings(batchOf(ledger, 1, 2, [later], "another spool"));
  await ledger.commitSightings(batchOf(ledger, 2, 1, [first]));
  assert.deepEqual(await outcomes(store), { counted: 3, repeated: 2 });
  const [offender] = await store.sql<{ sightings: number; agents: number }[]>`select sightings, agents from offenders`;
  assert.deepEqual({ ...offender }, { sightings: 3, agents: 2 });
  const [bans] = await store.sql<{ bans: number }[]>`select sum(bans)::int as bans from local_bans`;
  assert.equal(bans?.bans, 3);
});

test("what can't be believed is stored with its outcome and acknowledged", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { jailWeights: { noise: 0 } } });
  await ledger.setAgentAddresses(7, [{ address: parsePrefix("198.50.7.7"), origin: "observed" }]);
  await store.sql`insert into allowlist (prefix, reason, author) values ('198.50.1.0/24', 'ours', 'test')`;
  await store.sql`insert into pardons (prefix, reason, author) values ('198.50.2.2', 'sorry', 'test')`;
  const sightings = [
    sightingOf(ledger, "198.50.7.7"),
    sightingOf(ledger, "198.50.1.9"),
    sightingOf(ledger, "198.50.2.2"),
    sightingOf(ledger, "10.0.0.1"),
    sightingOf(ledger, "192.0.2.1"),
    sightingOf(ledger, "198.50.3.0/24"),
    sightingOf(ledger, "198.50.4.4", { bannedAtMs: ledger.ledgerTimeMs() - 40 * 86_400_000 }),
    sightingOf(ledger, "198.50.5.5", { kind: "restored" }),
    sightingOf(ledger, "198.50.5.6", { kind: "unban-by-hand" }),
    sightingOf(ledger, "198.50.6.6", { jail: "noise" }),
    sightingOf(ledger, "198.50.9.9", { jail: "'; drop table sightings; --\0\n" }),
  ];
  const committed = await ledger.commitSightings(batchOf(ledger, 1, 1, sightings));
  assert.deepEqual({ ...committed, revision: 0 }, { seq: 11, overQuota: 0, refused: 7, revision: 0 });
  assert.deepEqual(await outcomes(store), {
    "own-address": 1,
    allowed: 1,
    pardoned: 1,
    "special-purpose": 2,
    "too-wide": 1,
    "too-old": 1,
    "no-strike": 2,
    weightless: 1,
    counted: 1,
  });
  assert.equal(ledger.lists().find(({ list }) => list.list === LIST_FLEET)?.listings, 1);
});

test("over the quota a sighting is stored, no evidence, and drawn once however often it is sent", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { quota: { burst: 3, perMinute: 0 } } });
  const addresses = ["198.50.0.1", "198.50.0.2", "198.50.0.3", "198.50.0.4", "198.50.0.5"];
  const batch = batchOf(
    ledger,
    1,
    1,
    addresses.map((address) => sightingOf(ledger, address)),
  );
  assert.equal((await ledger.commitSightings(batch)).overQuota, 2);
  assert.equal((await ledger.commitSightings(batch)).overQuota, 0);
  const other = await ledger.commitSightings(batchOf(ledger, 2, 1, [sightingOf(ledger, "198.50.0.9")]));
  assert.equal(other.overQuota, 0);
  assert.deepEqual(await outcomes(store), { counted: 4, "over-quota": 2 });
});

test("of a sighting over the quota neither evidence nor protocol nor ports are kept, whatever address it names", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { quota: { burst: 1, perMinute: 0 } } });
  const evidence = new Uint8Array(1024);
  const addresses = ["198.50.0.1", "198.50.0.2", "10.0.0.1", "198.50.3.0/24"];
  const sightings = addresses.map((address) => sightingOf(ledger, address, { evidence }));
  assert.equal((await ledger.commitSightings(batchOf(ledger, 1, 1, sightings))).overQuota, 3);
  const rows = await store.sql<{ row: string }[]>`
    select concat_ws(' ', protocol || '/' || ports, octet_length(evidence)) as row from sightings order by seq`;
  assert.deepEqual(
    rows.map(({ row }) => row),
    ["tcp/ssh 1024", "/", "/", "/"],
  );
});

test("the local bans of an agent are counted by 200 jails a day, the rest together, and none beyond the quota", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { quota: { burst: 304, perMinute: 0 } } });
  const bannedAtMs = Math.floor(ledger.ledgerTimeMs() / 86_400_000) * 86_400_000 - 60_000; // one day's, also at midnight
  const inJails = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) =>
      sightingOf(ledger, `198.50.${from >> 8}.${at}`, {
        jail: `jail${String(from + at).padStart(3, "0")}`,
        bannedAtMs,
      }),
    );
  const sightings = [inJails(0, 150), inJails(100, 150), inJails(0, 4), inJails(240, 10)];
  let seq = 1;
  for (const some of sightings) {
    await ledger.commitSightings(
      batchOf(
        ledger,
        1,
        seq,
        some.map((one, at) => ({ ...one, act: actAt(seq + at) })),
      ),
    );
    seq += some.length;
  }
  const rows = await store.sql<{ jail: string; bans: number }[]>`
    select jail, bans::int from local_bans where agent_no = 1 order by jail`;
  assert.equal(rows.length, 201);
  const bans = Object.fromEntries(rows.map((row) => [row.jail, row.bans]));
  assert.deepEqual([bans.jail000, bans.jail120, bans.jail199, bans["(other)"]], [2, 2, 1, 50]);
  assert.equal(
    rows.reduce((sum, row) => sum + row.bans, 0),
    304,
  );
});

test("of an agent's spools the newest thousand are kept", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await store.sql`
    insert into spools (agent_no, incarnation, last_at)
    select agent, decode(md5(n::text), 'hex'), now() - interval '1 hour' from generate_series(1, 1100) n, (values (1), (2)) as a(agent)`;
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1")]));
  const rows = await store.sql<
    { count: number }[]
  >`select count(*)::int as count from spools group by agent_no order by 1`;
  assert.deepEqual(
    rows.map(({ count }) => count),
    [1000, 1100],
  );
  assert.equal((await ledger.ackedSpools(1, [incarnationOf("spool")])).length, 1);
});

test("IPv6 is listed by its /64, or alone where the /64 has something exempt or an agent in it", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await ledger.setAgentAddresses(7, [{ address: parsePrefix("2600:1:2:3::7"), origin: "observed" }]);
  await ledger.write({ kind: "operator" }, async () => [
    {
      list: LIST_EXEMPT,
      prefix: parsePrefix("2600:1:2:4::9"),
      to: { until: 0 as never, rank: RANK.operator, reasons: [] },
    },
  ]);
  const seen = ["2600:1:2:3::1", "2600:1:2:4::1", "2600:1:2:5::1"];
  await ledger.commitSightings(
    batchOf(
      ledger,
      1,
      1,
      seen.map((address) => sightingOf(ledger, address)),
    ),
  );
  const rows = await store.sql<
    { prefix: string }[]
  >`select prefix::text from listings where list_no = 2 order by prefix`;
  assert.deepEqual(
    rows.map(({ prefix }) => prefix),
    ["2600:1:2:3::1/128", "2600:1:2:4::1/128", "2600:1:2:5::/64"],
  );
});

test("the time of a sighting is as long ago on the ledger's clock as it was on the agent's", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const agentNowMs = 1_000_000_000_000; // 2001: a server without a clock
  const batch = batchOf(ledger, 1, 1, [
    sightingOf(ledger, "198.50.0.1", { bannedAtMs: agentNowMs - 60_000 }),
    sightingOf(ledger, "198.50.0.2", { bannedAtMs: agentNowMs + 60_000 }),
  ]);
  await ledger.commitSightings({ ...batch, sentAtMs: agentNowMs });
  const rows = await store.sql<{ ago: number }[]>`
    select round(extract(epoch from received_at - sighted_at))::int as ago from sightings order by seq`;
  assert.deepEqual(
    rows.map(({ ago }) => ago),
    [60, 0],
  );
});

test("a prefix for which nothing can be decided is held, and the rest of its batch goes on", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy: { sourceWeights: strangeAfterTriage() } });
  await ledger.commitSightings(
    batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1", { source: "socket" }), sightingOf(ledger, "198.50.0.2")]),
  );
  const holds = await store.sql<{ prefix: string; reason: string }[]>`select prefix::text, reason from holds`;
  assert.deepEqual(
    holds.map((hold) => ({ ...hold })),
    [{ prefix: "198.50.0.1/32", reason: "Error: no weight for that" }],
  );
  assert.ok(ledger.get(LIST_FLEET, parsePrefix("198.50.0.2")));
});

function actAt(at: number): string {
  return at.toString(16).padStart(16, "0");
}

/** Answers the triage, which asks first, and throws in the decision. */
function strangeAfterTriage(): Policy["sourceWeights"] {
  let asked = 0;
  return {
    ...DEFAULT_POLICY.sourceWeights,
    get socket() {
      asked += 1;
      if (asked > 1) throw new Error("no weight for that");
      return 1;
    },
  };
}

test("what is durable is told of once, with its outcome and the time that it took", async (t) => {
  const { store } = await createTestDatabase(t);
  const seen = { sightings: [] as string[], seconds: [] as number[] };
  const observe = {
    sightings: (outcome: string, count: number) => void seen.sightings.push(`${outcome} ${count}`),
    committed: (seconds: number) => void seen.seconds.push(seconds),
  };
  const ledger = await openTestLedger(t, store, { observe });
  const batch = batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1"), sightingOf(ledger, "10.0.0.1")]);
  await ledger.commitSightings(batch);
  assert.deepEqual(seen.sightings, ["counted 1", "special-purpose 1"]);
  await ledger.commitSightings(batch);
  assert.equal(seen.sightings.length, 2);
  assert.ok(seen.seconds.every((seconds) => seconds > 0));
});
