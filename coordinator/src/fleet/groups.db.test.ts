import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_TRIAL, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "./test-agent.fixture.ts";

test("a list that a group is given reaches its agents without a new stream, and no others; taken, it leaves them", async (t) => {
  const coordinator = await startCoordinator(t);
  const { store, fleet } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('canary', '{1,2,3,4}')`;
  const canary = await connected(coordinator, "web1");
  await store.sql`update agents set agent_group = 'canary' where name = 'web1'`;
  canary.cancel();
  await until("the end of the stream", () => canary.ended !== undefined);
  await canary.connect();
  const other = await connected(coordinator, "web2");
  await coordinator.ledger.write({ kind: "policy", no: 1 }, async () => [
    { list: LIST_TRIAL, prefix: parsePrefix("8.8.8.8"), to: { until: OPEN_ENDED, rank: RANK.fleet, reasons: [] } },
  ]);

  await store.sql`update agent_groups set lists = '{1,2,3,4,5}' where name = 'canary'`;
  await until("the listing at web1", () => canary.listed(LIST_TRIAL).length === 1);
  assert.ok(canary.received.includes("lists 1 2 3 4 5"));
  await until("web1's report of it", () => fleet.reported.find(1)?.lists.has(LIST_TRIAL) === true);

  await store.sql`update agent_groups set lists = '{1,2,3,4}' where name = 'canary'`;
  await until("the end of the list at web1", () => canary.received.includes("list 5 removed"));
  assert.equal(fleet.reported.find(1)?.lists.has(LIST_TRIAL), false);
  assert.deepEqual(
    other.received.filter((what) => /5|lists/.test(what)),
    [],
  );
});

async function connected(coordinator: TestCoordinator, name: string): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll(name)));
  await agent.connect();
  return agent;
}
