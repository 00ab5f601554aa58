import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";
import { forgetOldProbes } from "./probe-queries.ts";

test("each probe is kept with its hops, an agent is shown with its last, and a hundred are kept of each", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin, store } = coordinator;
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  await agent.connect();
  await until("it is online", () => coordinator.fleet.isOnline(1));
  const lastProbe = async () => {
    const { agents } = await unary(admin, admin.listAgents, { agent: "web1" });
    return agents[0]?.lastProbe;
  };
  assert.equal(await lastProbe(), undefined);
  const [passed] = await admin.probeAgents({ agent: "web1", timeoutMs: 30_000 }).toArray();
  assert.ok(passed !== undefined && passed.probedAtMs > 0);
  assert.deepEqual(await lastProbe(), passed);
  agent.isAlive = false;
  const [failed] = await admin.probeAgents({ agent: "web1", timeoutMs: 50 }).toArray();
  assert.equal(failed?.error, "no answer within 50 ms");
  assert.deepEqual(await lastProbe(), failed);
  const [row] = await store.sql<{ all: number; answered: number }[]>`
    select count(*)::int as all, count(answered_at)::int as answered from probes`;
  assert.deepEqual(row, { all: 2, answered: 1 });

  await store.sql`
    insert into probes (agent_no, address, asked_at)
    select agent_no, '192.0.2.1', clock_timestamp() - n * interval '1 minute'
    from generate_series(1, 150) as n, unnest(array[1, 7]) as agent_no`;
  await store.sql`update probes set asked_at = asked_at - interval '400 days' where agent_no = 7`;
  await forgetOldProbes(store.sql);
  const kept = await store.sql<
    { count: number }[]
  >`select count(*)::int as count from probes group by agent_no order by 1`;
  assert.deepEqual(
    kept.map(({ count }) => count),
    [1, 100],
  );
  assert.deepEqual(await lastProbe(), failed);
});
