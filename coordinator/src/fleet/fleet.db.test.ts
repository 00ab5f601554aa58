import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FEEDS, LIST_FLEET, RANK, rank } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { TestAgent } from "./test-agent.fixture.ts";

test("a ban on one server is on the other's mirror, and acknowledged to the first", async (t) => {
  const coordinator = await startCoordinator(t);
  const [one, two] = [await connected(coordinator, "web1"), await connected(coordinator, "web2")];
  one.sight(["8.8.8.8", "2a00:1450::1"], 1);
  await until("the listings at web2", () => two.listed(LIST_FLEET).length === 2);
  assert.deepEqual(two.listed(LIST_FLEET), ["8.8.8.8", "2a00:1450::/64"]);
  await until("the acknowledgement", () => one.acked.get(one.incarnation.toString("hex")) === 2);
  assert.equal(two.digest(LIST_FLEET), headOf(coordinator).digest);
  assert.deepEqual(two.received.slice(0, 3), ["welcome", "snapshot 1 at 0", "snapshot 2 at 0"]); // exempt first
});

test("sightings that are sent again after a broken stream count once", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  const addresses = Array.from({ length: 300 }, (_, index) => `9.9.${index >> 8}.${index & 255}`);
  agent.sight(addresses.slice(0, 200), 1);
  agent.cancel();
  await until("the end of the stream", () => agent.ended !== undefined);
  await agent.connect();
  const acked = agent.welcome!.acked[0]?.seq ?? 0;
  assert.ok(acked === 0 || acked === 200, `acknowledged up to ${acked}`);
  agent.sight(addresses, 1); // all of them, whatever came through before
  await until("the acknowledgement", () => agent.acked.get(agent.incarnation.toString("hex")) === 300);
  const [row] = await coordinator.store.sql<{ rows: number; distinct: number }[]>`
    select count(*)::int as rows, count(distinct prefix)::int as distinct from sightings`;
  assert.deepEqual(row, { rows: 300, distinct: 300 });
});

test("an agent that comes back gets what it missed as a delta, and a snapshot when its mirror differs", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  await list(coordinator, ["8.8.8.8"]);
  await until("the first listing", () => agent.listed(LIST_FLEET).length === 1);
  agent.cancel();
  await until("the end of the stream", () => agent.ended !== undefined);
  await list(coordinator, ["9.9.9.9"]);
  agent.received.length = 0;
  await agent.connect();
  await until("the second listing", () => agent.listed(LIST_FLEET).length === 2);
  assert.deepEqual(agent.received, ["welcome", `delta 2 to ${headOf(coordinator).revision}`]);

  agent.cancel();
  await until("the end of the stream", () => agent.ended !== undefined);
  agent.mirrors.get(LIST_FLEET)!.blocklist.remove(parsePrefix("8.8.8.8")); // damaged behind its back
  await agent.connect();
  await until("the listing that was lost", () => agent.listed(LIST_FLEET).length === 2);
  assert.equal(coordinator.fleet.counters.snapshots.get("differs"), 1);
});

test("a stream that does not read is written no more than the transport holds, and one collapsed delta when it reads", async (t) => {
  const coordinator = await startCoordinator(t);
  const [slow, other] = [await connected(coordinator, "slow"), await connected(coordinator, "other")];
  padDeltas(coordinator, 60_000);
  slow.pause();
  slow.received.length = 0;
  const before = coordinator.fleet.counters.deltaBytes;
  for (let round = 0; round < 80; round += 1) await list(coordinator, ["8.8.8.8"], 1_900_000_000 + round);
  await until("the other stream", () => other.digest(LIST_FLEET) === headOf(coordinator).digest);
  const writtenToSlow = coordinator.fleet.counters.deltaBytes - before - 80 * 60_000;
  assert.ok(writtenToSlow < 40 * 60_000, `${writtenToSlow} bytes were written to a stream that does not read`);
  slow.resume();
  await until("the slow stream", () => slow.digest(LIST_FLEET) === headOf(coordinator).digest);
  const deltas = slow.received.filter((message) => message.startsWith("delta"));
  t.diagnostic(`${deltas.length} deltas for 80 commits, ${Math.round(writtenToSlow / 1_000)} kB while it did not read`);
  assert.ok(deltas.length <= 40, `${deltas.length} deltas for 80 commits`);
});

test("a list that is too long for a delta reaches a new agent as a snapshot in chunks", async (t) => {
  const coordinator = await startCoordinator(t);
  await feedSnapshot(coordinator, 60_000);
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  await agent.connect();
  await until("the feeds' snapshot", () => (agent.listed(LIST_FEEDS).length === 60_000 ? true : undefined), 30_000);
  assert.equal(agent.digest(LIST_FEEDS), headOf(coordinator, LIST_FEEDS).digest);
});

test("a newer stream of the same boot replaces the older; one of another boot is turned away as a clone", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("web1");
  const [older, newer] = [new TestAgent(coordinator.fleetClient(pair)), new TestAgent(coordinator.fleetClient(pair))];
  await older.connect();
  await newer.connect();
  await until("the older stream's end", () => older.ended);
  assert.equal(older.goodbye, "GOODBYE_REASON_REPLACED");
  const clone = new TestAgent(coordinator.fleetClient(pair), 2);
  await clone.connect();
  assert.equal(clone.goodbye, "GOODBYE_REASON_CLONE");
  assert.equal(newer.goodbye, undefined);
  const { agents } = await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "web1" });
  assert.deepEqual(agents[0]?.warnables, ["agent-cloned"]);
});

test("a stream of another boot takes the place of one that does not answer", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("web1");
  const older = new TestAgent(coordinator.fleetClient(pair));
  await older.connect();
  older.isAlive = false;
  const newer = new TestAgent(coordinator.fleetClient(pair), 2);
  await newer.connect();
  assert.equal(newer.goodbye, undefined);
  await until("the older stream's end", () => older.goodbye === "GOODBYE_REASON_REPLACED");
});

test("revoking an agent cuts its stream at once", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  const answer = await unary(coordinator.admin, coordinator.admin.revokeAgent, { agent: "web1", reason: "gone" });
  assert.equal(answer.streamsCut, 1);
  assert.equal(answer.agent?.state, "revoked");
  await until("the end of the stream", () => agent.ended);
  assert.equal(agent.goodbye, "GOODBYE_REASON_REVOKED");
  assert.match(agent.ended!, /^PERMISSION_DENIED: agent web1: was revoked/);
  await agent.connect();
  assert.match(agent.ended!, /^PERMISSION_DENIED: certificate of agent web1: was revoked/);
});

test("a stream ends with the certificate that opened it", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  agent.cancel();
  await until("the end of the stream", () => agent.ended !== undefined);
  for (const seconds of [1.5, 6, 24]) {
    await coordinator.store.sql`
      update agent_certificates set ends_at = clock_timestamp() + make_interval(secs => ${seconds})`;
    await agent.connect();
    if (agent.welcome !== undefined) break; // else it took longer than the certificate lasts
  }
  assert.ok(agent.welcome);
  await until("the goodbye", () => agent.goodbye !== undefined);
  await until("the end of the stream", () => agent.ended !== undefined);
  await agent.connect();
  assert.match(agent.ended ?? "", /^\w+: certificate of agent web1: ended at /);
});

test("a coordinator that stops sends its agents away, to come back at random within half a minute", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  coordinator.fleet.drain();
  await until("the goodbye", () => agent.goodbye === "GOODBYE_REASON_DRAINING");
  assert.ok(agent.retryAfterMs >= 0 && agent.retryAfterMs <= 30_000);
  await agent.connect();
  assert.equal(agent.goodbye, "GOODBYE_REASON_DRAINING");
});

test("an agent that another replica has revoked is cut here within seconds, however late that is seen", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  await coordinator.store.sql`update agents set state = 'revoked', revoked_at = clock_timestamp() - interval '1 hour'`;
  await until("the end of the stream", () => agent.goodbye === "GOODBYE_REASON_REVOKED");
});

test("another version of the protocol, a second Hello, a lie about chunks: each ends the stream", async (t) => {
  const coordinator = await startCoordinator(t);
  const pair = await coordinator.enroll("web1");
  const newAgent = () => new TestAgent(coordinator.fleetClient(pair));
  const other = newAgent();
  await other.connect({ protocol: 2 });
  assert.equal(other.goodbye, "GOODBYE_REASON_PROTOCOL");

  for (const misbehave of [
    (agent: TestAgent) => agent.send({ kind: { $case: "hello", value: agent.hello() } }),
    (agent: TestAgent) => agent.send({ kind: { $case: "chunkReceived", value: { list: 3, revision: 9, chunk: 7 } } }),
    (agent: TestAgent) => agent.sight(["8.8.8.8"], 0),
    (agent: TestAgent) => agent.sight(["8.8.8.8"], 1, { incarnation: Buffer.alloc(3) }),
  ]) {
    const agent = newAgent();
    await agent.connect();
    misbehave(agent);
    await until("the goodbye", () => agent.goodbye === "GOODBYE_REASON_PROTOCOL");
  }

  const silent = newAgent();
  silent.open();
  silent.send({ kind: { $case: "chunkReceived", value: { list: 1, revision: 1, chunk: 0 } } });
  await until("the goodbye", () => silent.goodbye === "GOODBYE_REASON_PROTOCOL");
  assert.equal(coordinator.fleet.counters.violations, 5);
});

test("an agent without the feature of exempt lists is given no list that needs it", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("old")));
  await agent.connect({ features: [] });
  assert.deepEqual(
    agent.welcome!.lists.map(({ name }) => name),
    ["probe"],
  );
});

test("a list that an agent has and the fleet has not is withdrawn by name", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  const epoch = Buffer.alloc(16);
  await agent.connect({ positions: [{ list: 77, epoch, revision: 3, digest: Buffer.alloc(16), partial: undefined }] });
  await until("the withdrawal", () => agent.received.includes("list 77 removed, not approved"));
});

test("an agent's public address is protected as soon as it says it, and not listed when sighted", async (t) => {
  const coordinator = await startCoordinator(t);
  const [one, two] = [
    new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1"))),
    await connected(coordinator, "web2"),
  ];
  await one.connect({ addresses: [Buffer.from([8, 8, 8, 8]), Buffer.from([10, 0, 0, 1])] });
  two.sight(["8.8.8.8", "9.9.9.9"], 1);
  await until("the other listing", () => one.listed(LIST_FLEET).length > 0);
  assert.deepEqual(one.listed(LIST_FLEET), ["9.9.9.9"]);
  const protectedNow = coordinator.ledger.protectedAddresses().map(({ address }) => address);
  assert.deepEqual(protectedNow, ["8.8.8.8"]);
});

test("what agents reported is in the database soon, and their status after they have gone", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await connected(coordinator, "web1");
  const health = {
    ...{
      warnables: [{ code: "kernel-drift", sinceMs: 1, detail: "" }],
      spoolSightings: 3,
      spoolOldestMs: 0,
      lostSightings: 4,
    },
    ...{
      batchEntries: 0,
      applyP99Us: 0,
      clockSkewMs: -1_500,
      ownEntries: 5,
      localEntries: 6,
      sources: [],
      countsHits: true,
    },
  };
  agent.send({ kind: { $case: "health", value: health } });
  const statusNow = async () =>
    (await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "web1" })).agents[0]!;
  await until("the health", async () => (await statusNow()).spoolSightings === 3);
  const shown = await statusNow();
  const { warnables, clockSkewMs, lostSightings, ownEntries, localEntries, state } = shown;
  assert.deepEqual(
    { warnables, clockSkewMs, lostSightings, ownEntries, localEntries, state },
    {
      warnables: ["kernel-drift"],
      clockSkewMs: -1_500,
      lostSightings: 4,
      ownEntries: 5,
      localEntries: 6,
      state: "online",
    },
  );
  agent.cancel();
  await until("offline", async () => (await statusNow()).state === "offline");
  assert.ok((await statusNow()).lastSeenAtMs > 0);
});

async function connected(coordinator: TestCoordinator, name: string): Promise<TestAgent> {
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll(name)));
  await agent.connect();
  await until(`the first snapshots of ${name}`, () => agent.mirrors.size === 4);
  return agent;
}

function headOf({ ledger }: TestCoordinator, list = LIST_FLEET) {
  return ledger.lists().find((head) => head.list.list === list)!;
}

/** Makes every delta large, by a field that no decoder knows and each one skips. */
function padDeltas({ ledger }: TestCoordinator, bytes: number): void {
  const length = Buffer.from([0xfa, 0x07, 0x80 | (bytes & 0x7f), 0x80 | ((bytes >> 7) & 0x7f), bytes >> 14]); // field 127
  const padding = Buffer.concat([length, Buffer.alloc(bytes)]);
  const { deltaSince } = ledger;
  Object.assign(ledger, {
    deltaSince(...args: Parameters<typeof deltaSince>) {
      const outgoing = deltaSince(...args);
      if (outgoing.kind !== "delta") return outgoing;
      return { ...outgoing, message: Buffer.concat([outgoing.message, padding]), bytes };
    },
  });
}

/** By a feed's way, which asks for no evidence. */
async function list({ ledger }: TestCoordinator, prefixes: readonly string[], untilSeconds = 0): Promise<void> {
  const to = {
    until: untilSeconds as typeof OPEN_ENDED,
    rank: RANK.fleet,
    reasons: [{ kind: "ban" as const, key: "1" }],
  };
  const changes = prefixes.map((prefix) => ({ list: LIST_FLEET, prefix: prefix as Prefix, to }));
  await ledger.write({ kind: "operator" }, async () => changes);
}

/** A list of which only a kept snapshot can be sent to a new agent, of several chunks. */
async function feedSnapshot({ ledger }: TestCoordinator, count: number): Promise<void> {
  const prefixes = Array.from({ length: count }, (_, index) => {
    const scattered = (index * 2_654_435_761) >>> 0;
    return `${1 + ((scattered >>> 24) % 9)}.${(scattered >>> 16) & 255}.${(index >> 8) & 255}.${index & 255}` as Prefix;
  });
  const to = { until: OPEN_ENDED, rank: rank(3), reasons: [{ kind: "feed" as const, key: "1" }] };
  for (let at = 0; at < count; at += 2_000) {
    const changes = prefixes.slice(at, at + 2_000).map((prefix) => ({ list: LIST_FEEDS, prefix, to }));
    await ledger.write({ kind: "feed" }, async () => changes);
  }
}
