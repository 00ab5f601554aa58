/** An address of which more is stored than is judged one by one. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Policy } from "../policy/policy.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { explain } from "./explain.ts";

const ATTACKER = parsePrefix("198.50.0.7");
const SIGHTINGS = 250;
/** More than 200 of them are needed. */
const POLICY: Policy = {
  ...DEFAULT_POLICY,
  ladderSeconds: [7 * 86_400],
  jailWeights: { sshd: 0.0049 },
  quota: { burst: 100_000, perMinute: 100_000 },
};

test("what lists an address is judged whole, however many sightings it took", async (t) => {
  const { sight, explained, ledger, store } = await openStage(t);
  for (let at = 1; at <= SIGHTINGS; at += 1) await sight(1 + (at % 5), at);
  assert.ok(ledger.get(LIST_FLEET, ATTACKER));
  // As if one had come a minute.
  await store.sql`
    update sightings s set received_at = received_at - shift, sighted_at = sighted_at - shift
    from (select spool_no, seq, (${SIGHTINGS} - row_number() over (order by received_at)) * interval '1 minute' as shift
      from sightings) as m where s.spool_no = m.spool_no and s.seq = m.seq`;
  const [row] = await store.sql<{ nth: number }[]>`
    update strikes set made_at = made_at - interval '45 minutes', struck_at = struck_at - interval '45 minutes'
    returning strike_no::int as nth`;
  assert.ok(row);
  const lines = await explained(POLICY);
  assert.deepEqual(
    lines.filter((line) => line.startsWith("replay")),
    [],
  );
  const older = lines.find((line) => line.includes("older bans"));
  assert.match(
    older ?? "",
    /^sightings: and 50 older bans by 5 agents; weigh 0\.2\d? now \| not listed: too little evidence$/,
  );
  const lighter = await explained({ ...POLICY, jailWeights: { sshd: 0.004 } });
  assert.match(lighter.find((line) => line.startsWith("replay")) ?? "", /not listed: too little evidence/);
});

test("what is no evidence does not push out what is", async (t) => {
  const { sight, explained, store } = await openStage(t);
  await sight(1, 1);
  await store.sql`
    insert into sightings (received_at, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
      failures, sighted_at, ban_seconds, ban_count, act, outcome)
    select received_at + n * interval '1 millisecond', spool_no, 1000 + n, agent_no, prefix, offender, 3, source, jail, protocol, ports,
      failures, sighted_at, ban_seconds, ban_count, act, 3 from sightings, generate_series(1, 300) as n`;
  const lines = await explained({ ...POLICY, jailWeights: {} });
  assert.match(lines[0] ?? "", /^sightings: .*: 1 ban by sshd/);
});

test("older sightings are summed up however many half-lives ago they were", async (t) => {
  const { sight, explained, store } = await openStage(t);
  await sight(1, 1);
  await store.sql`
    insert into sightings (received_at, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
      failures, sighted_at, ban_seconds, ban_count, act, outcome)
    select received_at - n * interval '1 millisecond', spool_no, 1000 + n, agent_no, prefix, offender, kind, source, jail, protocol,
      ports, failures, sighted_at - n * interval '10 minutes', ban_seconds, ban_count, act, outcome
    from sightings, generate_series(1, 300) as n`;
  const lines = await explained({ ...POLICY, halfLifeSeconds: 60 });
  const older = lines.find((line) => line.includes("older bans"));
  assert.match(older ?? "", /^sightings: and 101 older bans by 1 agent; weigh 0 now/);
});

async function openStage(t: TestContext) {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { source: () => POLICY });
  const seqs = new Map<number, number>();
  return {
    store,
    ledger,
    async sight(agentNo: number, nth: number) {
      const seq = (seqs.get(agentNo) ?? 0) + 1;
      seqs.set(agentNo, seq);
      const sighting = sightingOf(ledger, ATTACKER, {
        bannedAtMs: Math.floor(ledger.ledgerTimeMs()) - 600_000 + nth * 1_000,
      });
      await ledger.commitSightings(batchOf(ledger, agentNo, seq, [sighting], `spool ${agentNo}`));
    },
    async explained(policy: Policy) {
      const { evidence } = await explain({ store, ledger, policy: () => policy }, { prefix: ATTACKER });
      return evidence.map(({ kind, text, without }) => `${kind}: ${text}${without === "" ? "" : ` | ${without}`}`);
    },
  };
}
