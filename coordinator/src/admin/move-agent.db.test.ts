import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FEEDS, LIST_TRIAL, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import type { ServiceError } from "@grpc/grpc-js";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "../fleet/test-agent.fixture.ts";

test("an agent that is moved is given the lists of its new group on the stream that it has, and loses the others", async (t) => {
  const coordinator = await startCoordinator(t);
  const { store, ledger } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('edge', '{1,2,4,5}')`;
  await ledger.write({ kind: "policy", no: 1 }, async () => [
    { list: LIST_TRIAL, prefix: parsePrefix("8.8.8.8"), to: { until: OPEN_ENDED, rank: RANK.fleet, reasons: [] } },
  ]);
  const agent = await connected(coordinator, "web1");
  const other = await connected(coordinator, "web2");
  await until("the feeds' list at web1", () => agent.mirrors.has(LIST_FEEDS));
  await store.sql`
    insert into agent_lists (agent_no, list_no, revision) values (1, ${LIST_FEEDS}, 1) on conflict do nothing`;

  const moved = await move(coordinator, "web1", "edge", "tries what is new");
  assert.equal(moved.told, true);
  assert.deepEqual([moved.formerGroup, moved.agent?.group], ["default", "edge"]);
  assert.deepEqual([moved.listsGiven, moved.listsTaken], [["trial"], ["feeds"]]);
  await until("the trial's listing at web1", () => agent.listed(LIST_TRIAL).length === 1);
  assert.deepEqual(
    agent.received.filter((what) => /welcome|settings|list/.test(what)),
    ["welcome", "settings", "lists 1 2 4 5", "list 3 removed"],
  );
  const known = await store.sql`select from agent_lists where agent_no = 1 and list_no = ${LIST_FEEDS}`;
  assert.equal(known.length, 0);
  assert.deepEqual(
    other.received.filter((what) => /settings|list/.test(what)),
    [],
  );

  await move(coordinator, "web1", "default", "");
  await until("the feeds' list again", () => agent.mirrors.has(LIST_FEEDS) && !agent.mirrors.has(LIST_TRIAL));
  const records = await store.sql<
    { act: string; subject: string; reason: string | null; before: unknown; after: unknown }[]
  >`
    select act, subject, reason, before, after from audit_log order by audit_no desc limit 2`;
  const subject = `web1 ${moved.agent?.agentId}: default to edge`;
  assert.deepEqual(records.map(({ act, before, after }) => ({ act, before, after })).reverse(), [
    { act: "agents move", before: { group: "default" }, after: { group: "edge" } },
    { act: "agents move", before: { group: "edge" }, after: { group: "default" } },
  ]);
  assert.deepEqual([records[1]?.subject, records[1]?.reason], [subject, "tries what is new"]);
});

test("an agent that is away is in its new group when it comes; one of another replica is told within seconds", async (t) => {
  const coordinator = await startCoordinator(t);
  const { store } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('edge', '{1,2,3,4,5}')`;
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  assert.equal((await move(coordinator, "web1", "edge", "")).told, false);
  await agent.connect();
  await until("the trial's list", () => agent.mirrors.has(LIST_TRIAL));
  await store.sql`update agents set agent_group = 'default' where name = 'web1'`; // as another replica does
  await until("the end of the list", () => agent.received.includes("list 5 removed"));
});

test("who is moved nowhere stays where it was, and nothing stands in the audit log", async (t) => {
  const coordinator = await startCoordinator(t);
  const { store, admin } = coordinator;
  await store.sql`insert into agent_groups (name, lists) values ('edge', '{1,2,3,4}')`;
  await connected(coordinator, "web1");
  await connected(coordinator, "web2");
  await unary(admin, admin.revokeAgent, { agent: "web2", reason: "" });
  const refusals: string[] = [];
  for (const [agent, group] of [
    ["web1", "egde"],
    ["web1", ""],
    ["web3", "edge"],
    ["web2", "edge"],
  ] as const) {
    refusals.push(
      await move(coordinator, agent, group, "").then(
        () => "moved",
        (error: ServiceError) => error.details,
      ),
    );
  }
  assert.deepEqual(refusals, [
    'group "egde": does not exist',
    "no group is named",
    "agent web3: is not known",
    "agent web2: is revoked",
  ]);
  const same = await move(coordinator, "web1", "default", "");
  assert.deepEqual([same.formerGroup, same.listsGiven, same.listsTaken], ["default", [], []]);
  assert.equal((await store.sql`select from audit_log where act = 'agents move'`).length, 0);
});

function move({ admin }: TestCoordinator, agent: string, group: string, reason: string) {
  return unary(admin, admin.moveAgent, { agent, group, reason });
}

async function connected(coordinator: TestCoordinator, name: string): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll(name)));
  await agent.connect();
  return agent;
}
