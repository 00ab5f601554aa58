import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import type { AgentMessage } from "@fleetban/proto/wire/fleet";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { STREAMS_AT_ONCE } from "./stream-quota.ts";
import { TestAgent } from "./test-agent.fixture.ts";
import { writeOnce } from "./write-reports.ts";

const UNKNOWN_LIST = 4_000_000_000;
const LATEST = Number.MAX_SAFE_INTEGER;

test("what an agent says of lists that it was not given is not kept, and costs nobody else's reports", async (t) => {
  const coordinator = await startCoordinator(t);
  const [hostile, other] = [await connected(coordinator, "hostile"), await connected(coordinator, "other")];
  for (let list = UNKNOWN_LIST; list < UNKNOWN_LIST + 100; list += 1) hostile.send(applied(list));
  hostile.send(hits(UNKNOWN_LIST, 1));
  hostile.send(applied(LIST_FLEET));
  const reported = () => coordinator.fleet.reported.find(agentNoOf(coordinator, "hostile"))!;
  await until("the last report", () => reported().lists.get(LIST_FLEET)?.kernelEntries === 7);
  assert.ok(reported().lists.size <= 4, `${reported().lists.size} lists are kept of one agent`);
  await until("both agents' reports are written", async () => {
    await write(coordinator);
    const rows = await coordinator.store.sql`select distinct agent_no from agent_lists`;
    return rows.length === 2;
  });
  const { agents } = await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "hostile" });
  assert.ok(agents[0]!.lists.length > 0);
  other.cancel();
});

test("hits beyond all measure are cut to what a column holds, and prefixes that are not listed are not stored", async (t) => {
  const coordinator = await startCoordinator(t);
  const hostile = await connected(coordinator, "hostile");
  for (let round = 0; round < 3; round += 1) {
    for (let times = 0; times < 2_000; times += 1) hostile.send(hits(LIST_FLEET, LATEST));
    hostile.send({ kind: { $case: "health", value: { ...HEALTH, spoolSightings: round + 1 } } });
    const health = () => coordinator.fleet.reported.find(agentNoOf(coordinator, "hostile"))!.health;
    await until("the last message", () => health()?.spoolSightings === round + 1);
    await write(coordinator);
  }
  const totals = await coordinator.store.sql<{ packets: number }[]>`select packets from hit_totals`;
  assert.deepEqual([...totals], [{ packets: LATEST }]);
  const [stored] = await coordinator.store.sql<{ count: number }[]>`select count(*)::int as count from hits`;
  assert.equal(stored!.count, 0);
});

test("a Hello with control characters in its text ends the stream", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("hostile");
  for (const text of ["1.0\0", "\u001b[2J", "\u009b2J"]) {
    const agent = new TestAgent(coordinator.fleetClient(pair));
    await agent.connect({ programVersion: text });
    assert.equal(agent.goodbye, "GOODBYE_REASON_PROTOCOL", JSON.stringify(text));
  }
});

test("an agent that dials in a loop has no more than its quota of streams made for it", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("hostile");
  const agent = new TestAgent(coordinator.fleetClient(pair));
  for (let stream = 0; stream < STREAMS_AT_ONCE; stream += 1) {
    await agent.connect();
    assert.equal(agent.goodbye, undefined);
    agent.cancel();
    await until("the end of the stream", () => agent.ended);
  }
  const snapshots = () => coordinator.fleet.counters.snapshots.get("new") ?? 0;
  const before = snapshots();
  await agent.connect();
  assert.equal(agent.goodbye, "GOODBYE_REASON_QUOTA");
  assert.equal(snapshots(), before);
  const { agents } = await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "hostile" });
  assert.deepEqual(agents[0]?.warnables, ["streams-over-quota"]);
  await connected(coordinator, "other");
});

test("an agent that dials in a loop has no more than its quota of streams made for it", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("hostile");
  const agent = new TestAgent(coordinator.fleetClient(pair));
  for (let stream = 0; stream < STREAMS_AT_ONCE; stream += 1) {
    await agent.connect();
    assert.equal(agent.goodbye, undefined);
    agent.cancel();
    await until("the end of the stream", () => agent.ended);
  }
  const snapshots = () => coordinator.fleet.counters.snapshots.get("new") ?? 0;
  const before = snapshots();
  await agent.connect();
  assert.equal(agent.goodbye, "GOODBYE_REASON_QUOTA");
  assert.equal(snapshots(), before);
  const { agents } = await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "hostile" });
  assert.deepEqual(agents[0]?.warnables, ["streams-over-quota"]);
  await connected(coordinator, "other");
});

const HEALTH = {
  ...{ warnables: [], spoolSightings: 0, spoolOldestMs: 0, lostSightings: 0, batchEntries: 0, applyP99Us: 0 },
  ...{ clockSkewMs: 0, ownEntries: 0, localEntries: 0, sources: [], countsHits: true },
};

function applied(list: number): AgentMessage {
  const none = Buffer.alloc(0);
  const value = {
    ...{ list, epoch: Buffer.alloc(16), revision: 1, kernelDigest: none, kernelEntries: 7, leftOut: 0, kept: 0 },
    ...{ refused: 0, line: undefined, mirrorDigest: none, checkedAtMs: LATEST, unsupported: false },
  };
  return { kind: { $case: "applied", value } };
}

function hits(list: number, count: number): AgentMessage {
  const none = Buffer.alloc(0);
  // 9.9.9.9/32, which nobody has listed
  const prefixes = { v4Count: 1, v4: varint(0x09_09_09_09), v4Length: Buffer.from([32, 1]), v6Count: 0, v6: none };
  const value = {
    ...{ sinceMs: 0, untilMs: 1, totals: [{ list, rank: 2, packets: count, bytes: count }] },
    top: [{ list, prefixes: { ...prefixes, v6Length: none }, packets: [count], bytes: [count] }],
  };
  return { kind: { $case: "hits", value } };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function agentNoOf({ fleet }: TestCoordinator, name: string): number {
  return fleet.online().find((agent) => agent.name === name)!.agentNo;
}

async function write({ fleet, store }: TestCoordinator): Promise<void> {
  const failures: unknown[] = [];
  const log = { debug() {}, info() {}, error() {}, warn: (_: string, facts: unknown) => void failures.push(facts) };
  await writeOnce({ fleet, store, clock: undefined as never, log: { ...log, with: () => log as never } });
  assert.deepEqual(failures, []);
}

async function connected(coordinator: TestCoordinator, name: string): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll(name)));
  await agent.connect();
  await until(`the first snapshots of ${name}`, () => agent.mirrors.size === 4);
  return agent;
}
