import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { defaultGuardrails } from "../feeds/default-guardrails.fixture.ts";
import { answerListHold } from "../guardrails/list-holds.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { pruneListings } from "./prune.ts";

const [ONE, OTHER, V6, NETWORK] = ["45.83.64.1", "45.83.65.2", "2a01:4f8:1::1", "45.90.0.0/24"].map(parsePrefix);
const DAYS = 90;

test("an open-ended ban that nobody tried ends, with its audit record and as the policy's act", async (t) => {
  const { sql, ban, prune, listed, counting } = await started(t);
  await counting("web1", 200);
  await ban(ONE!, 100);
  await ban(OTHER!, 80);
  assert.equal(await prune(), 1);
  assert.deepEqual(listed(ONE!), false);
  assert.deepEqual(listed(OTHER!), true);
  const [record] = await sql`select actor, role, act, subject, reason from audit_log`;
  assert.deepEqual(
    { ...record },
    {
      actor: "policy",
      role: "policy",
      act: "prune",
      subject: "45.83.64.1",
      reason: "never tried; prune_after is 90d",
    },
  );
  const [bans] = await sql`select pruned, ended_at is not null as ended from bans where prefix = ${ONE!}`;
  assert.deepEqual({ ...bans }, { pruned: true, ended: true });
  const [revision] = await sql`select cause from revisions where list_no = 2 order by revision desc limit 1`;
  assert.equal(revision!.cause, 5);
  assert.equal(await prune(), 0);
});

test("more than half of a list does not go at once: it waits for an operator, whose approval lets it go", async (t) => {
  const { sql, ban, prune, counting } = await started(t);
  await counting("web1", 200);
  for (let host = 1; host <= 130; host += 1) await ban(parsePrefix(`45.91.7.${host}`), 100);
  assert.equal(await prune(), 0);
  const [hold] = await sql<{ hold_no: number; subject: string; reason: string }[]>`
    select hold_no, subject, reason from holds where resolved_at is null`;
  assert.deepEqual([hold!.subject, hold!.reason], ["list", "it falls from 130 listings to 0 at once"]);
  await answerListHold(sql, hold!.hold_no, "ann", "approved");
  assert.equal(await prune(), 130);
});

test("a packet or a sighting within the time keeps it, of an address inside as well", async (t) => {
  const { ban, prune, hit, sighted, counting } = await started(t);
  await counting("web1", 200);
  for (const prefix of [ONE!, OTHER!, V6!, NETWORK!]) await ban(prefix, 100);
  await hit(ONE!, 89);
  await sighted("45.83.65.2", 89);
  await sighted("2a01:4f8:1::1", 89);
  await sighted("45.90.0.77", 89);
  assert.equal(await prune(), 0);
});

test("one that was tried before that is pruned", async (t) => {
  const { ban, prune, hit, counting } = await started(t);
  await counting("web1", 200);
  await ban(ONE!, 100);
  await hit(ONE!, 91);
  assert.equal(await prune(), 1);
});

test("a try is remembered longer than its packets and sightings are kept", async (t) => {
  const { sql, ban, prune, hit, counting } = await started(t);
  await counting("web1", 200);
  await ban(ONE!, 100);
  await hit(ONE!, 60);
  assert.equal(await prune({ pruneAfterSeconds: 0 }), 0); // it remembers all the same
  await sql`delete from hits`;
  assert.equal(await prune(), 0);
});

test("no counters are not no hits: nothing is pruned while nobody counts, or one server does not", async (t) => {
  const { ban, prune, counting } = await started(t);
  await ban(ONE!, 100);
  assert.equal(await prune(), 0);
  await counting("web1", 200);
  await counting("web2", undefined);
  assert.equal(await prune(), 0);
});

test("bans with an end, listings of sightings and other lists are left alone", async (t) => {
  const { sql, ledger, ban, prune, counting, listed } = await started(t);
  await counting("web1", 200);
  await ban(ONE!, 100, 3_600);
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "45.83.65.2")]));
  await sql`update listings set listed_at = listed_at - interval '100 days'`;
  assert.equal(await prune(), 0);
  assert.deepEqual([listed(ONE!), listed(OTHER!)], [true, true]);
  assert.deepEqual([...(await sql`select act from audit_log`)], []);
});

test("a strike in force outlives the ban that is pruned", async (t) => {
  const { sql, ledger, ban, prune, counting } = await started(t);
  await counting("web1", 200);
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, "45.83.64.1")]));
  await ban(ONE!, 100);
  // long ago, as the fleet remembers it, and with a strike that lasts
  await sql`update sightings set received_at = received_at - interval '20 days'`;
  await sql`delete from offenders`;
  await sql`update strikes set struck_at = struck_at - interval '20 days', until = until + interval '20 days'`;
  assert.equal(await prune({ pruneAfterSeconds: 10 * 86_400 }), 1);
  assert.notEqual(ledger.get(LIST_FLEET, ONE!)?.until, 0);
  assert.equal(ledger.get(LIST_FLEET, ONE!)?.rank, RANK.fleet);
});

async function started(t: Parameters<typeof createTestDatabase>[0]) {
  const { store } = await createTestDatabase(t);
  const { sql } = store;
  const ledger = await openTestLedger(t, store, { policy: { retentionSeconds: 200 * 86_400 } });
  const policy = { ...DEFAULT_POLICY, pruneAfterSeconds: DAYS * 86_400 };
  let seq = 0;
  return {
    ...{ sql, ledger },
    /** An operator's, made so many days ago. */
    async ban(prefix: NonNullable<typeof ONE>, days: number, seconds?: number) {
      await ledger.write({ kind: "operator" }, async (inner, now) => {
        await inner`insert into bans (prefix, until, reason, author, banned_at)
          values (${prefix}, ${seconds === undefined ? null : inner`clock_timestamp() + ${seconds}::int * interval '1 second'`},
            '', 'tester', clock_timestamp() - ${days}::int * interval '1 day')`;
        return ledger.decideAnew(inner, [prefix], now);
      });
      await sql`update listings set listed_at = clock_timestamp() - ${days}::int * interval '1 day' where prefix = ${prefix}`;
    },
    /** An agent that is there and has counted for so long; undefined = it does not count. */
    async counting(name: string, days: number | undefined) {
      const hello = { seen_at_ms: Date.now() };
      const [row] = await sql<{ agent_no: number }[]>`
        insert into agents (agent_id, name, enrolled_at, last_hello)
        values (gen_random_uuid(), ${name}, clock_timestamp() - interval '300 days', ${sql.json(hello)}) returning agent_no`;
      if (days === undefined) return;
      await sql`insert into hit_counting (agent_no, counting_since, counted_at)
        values (${row!.agent_no}, clock_timestamp() - ${days}::int * interval '1 day', clock_timestamp())`;
    },
    async hit(prefix: NonNullable<typeof ONE>, days: number) {
      await sql`insert into hits (day, list_no, prefix, packets, bytes, agents, last_at)
        select at::date, 2, ${prefix}, 1, 60, 1, at from (select clock_timestamp() - ${days}::int * interval '1 day' as at) t`;
    },
    async sighted(address: string, days: number) {
      seq += 1;
      await ledger.commitSightings(batchOf(ledger, 1, seq, [sightingOf(ledger, address)]));
      await sql`update sightings set received_at = clock_timestamp() - ${days}::int * interval '1 day' where seq = ${seq}`;
      await sql`delete from offenders`; // so that the sighting itself is looked at
      await sql`update listings set until = null where prefix = ${address} and reasons @> '[{"kind": "ban"}]'`;
    },
    prune: (changes: Partial<typeof policy> = {}) =>
      pruneListings(
        {
          store,
          ledger,
          log: silentLog,
          policy: () => ({ ...policy, ...changes }),
          brake: defaultGuardrails(store).brake,
        },
        new AbortController().signal,
      ),
    listed: (prefix: NonNullable<typeof ONE>) => ledger.get(LIST_FLEET, prefix) !== undefined,
  };
}
