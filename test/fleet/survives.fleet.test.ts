/**
 * Bans are told without a pause while coordinator, agent and Postgres are killed with -9 and a link is cut: every sighting
 * counts exactly once, and ledger, mirrors and kernels are one again.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Admin, createAdminCalls } from "../support/fleet/admin.ts";
import type { FleetAgent } from "../support/fleet/agent.ts";
import { untilAllAgree } from "../support/fleet/agreement.ts";
import { type Burst, burstByHandoff, burstBySocket } from "../support/fleet/burst.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { countSightings } from "../support/fleet/ledger-sql.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet } from "../support/fleet/open-fleet.ts";

const skip = needs();
const AGENTS = [1, 2, 3] as const;
const BY_HANDOFF = 150;
const BY_SOCKET = 40;
/** Told by every agent. */
const SHARED = 20;
const EVERY_MS = 8;
const RECOVERS_MS = 180_000;

let fleet: Fleet;
let admin: Admin;
let agents: readonly FleetAgent[];

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  admin = createAdminCalls(fleet.coordinator);
  agents = await Promise.all(AGENTS.map((number) => fleet.agent(number, { config: sourcesOf(number) })));
  await Promise.all(agents.map((agent) => agent.start()));
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("the coordinator is killed in the middle of a burst", { skip }, async () => {
  const bursts = startBursts(10);
  await untilHalf(10, bursts);
  await fleet.coordinator.kill9();
  await Promise.all(bursts.map(({ done }) => done));
  await fleet.coordinator.start();
  await everythingCountsOnce(10);
});

test("an agent is killed in the middle of a burst", { skip }, async () => {
  const bursts = startBursts(20);
  await untilHalf(20, bursts);
  const [victim] = agents;
  await victim!.kill9();
  await untilToldMore(bursts[0]!, 50); // nobody is there to read it
  await victim!.start();
  await Promise.all(bursts.map(({ done }) => done));
  await everythingCountsOnce(20);
});

test("Postgres is killed in the middle of a burst", { skip }, async () => {
  const bursts = startBursts(30);
  await untilHalf(30, bursts);
  const before = await postgresPid();
  process.kill(before, "SIGKILL");
  await Promise.all(bursts.map(({ done }) => done));
  await everythingCountsOnce(30);
  assert.notEqual(await postgresPid(), before);
});

test("a link is cut in the middle of a burst, and healed", { skip }, async () => {
  const bursts = startBursts(40);
  await untilHalf(40, bursts);
  const [, cut] = agents;
  await fleet.network.cut(cut!.host);
  await Promise.all(bursts.map(({ done }) => done));
  const waiting = async () => (await cut!.status()).spool.sightings > 0;
  await eventually("sightings wait in the spool behind the cut", waiting);
  await fleet.network.heal(cut!.host);
  await everythingCountsOnce(40);
});

test("in the end exactly what was told is counted and listed, and nothing was lost", { skip }, async () => {
  const expected = new Map([10, 20, 30, 40].flatMap((round) => [...expectedOf(round)]));
  assert.deepEqual(await countSightings(fleet.coordinator), expected);
  assert.deepEqual(new Set((await admin.listings("fleet")).map(({ prefix }) => prefix)), new Set(expected.keys()));
  for (const agent of agents) assert.equal((await agent.status()).spool.lost, 0);
});

function sourcesOf(number: number): Readonly<Record<string, unknown>> {
  return { "fail2ban.handoff": handoffOf(number), socket: socketOf(number) };
}

const handoffOf = (number: number): string => join(fleet.dir, `handoff-${number}`);
const socketOf = (number: number): string => join(fleet.dir, `agent-${number}.sock`);

/** Two an agent. */
function startBursts(round: number): readonly Burst[] {
  return AGENTS.flatMap((number) => {
    const { byHandoff, bySocket } = addressesOf(round, number);
    const handoff = burstByHandoff(handoffOf(number), byHandoff, EVERY_MS);
    return [handoff, burstBySocket(socketOf(number), bySocket, EVERY_MS)];
  });
}

function addressesOf(round: number, number: number): { byHandoff: readonly string[]; bySocket: readonly string[] } {
  const own = (kind: number, count: number) =>
    Array.from({ length: count }, (_, at) => `45.${round + kind}.${number}.${at + 1}`);
  const shared = Array.from({ length: SHARED }, (_, at) => `45.${round}.100.${at + 1}`);
  return { byHandoff: [...own(0, BY_HANDOFF), ...shared], bySocket: own(1, BY_SOCKET) };
}

/** How many sightings of each address the test has caused. */
function expectedOf(round: number): ReadonlyMap<string, number> {
  const told = AGENTS.flatMap((number) => Object.values(addressesOf(round, number)).flat());
  return new Map([...Map.groupBy(told, (address) => address)].map(([address, times]) => [address, times.length]));
}

/** Told, counted in part, and far from over. */
async function untilHalf(round: number, bursts: readonly Burst[]): Promise<void> {
  await eventually("half of it is told", () => bursts[0]!.told() > BY_HANDOFF / 2, RECOVERS_MS);
  const ofRound = expectedOf(round);
  const isCounted = async () =>
    (await countSightings(fleet.coordinator)).keys().some((address) => ofRound.has(address));
  await eventually("some of it is counted", isCounted);
}

async function untilToldMore(burst: Burst, count: number): Promise<void> {
  const before = burst.told();
  await eventually(`${count} more are told`, () => burst.told() >= before + count, RECOVERS_MS);
}

async function everythingCountsOnce(round: number): Promise<void> {
  const expected = expectedOf(round);
  const isThrough = async () => {
    const counted = await countSightings(fleet.coordinator); // a spool may be empty because nothing was read yet
    if ([...expected].some(([address, times]) => (counted.get(address) ?? 0) < times)) return false;
    const spools = await Promise.all(agents.map(async (agent) => (await agent.status()).spool.sightings));
    return spools.every((sightings) => sightings === 0);
  };
  await eventually("everything is acknowledged", isThrough, RECOVERS_MS);
  const isOfRound = ([address]: [string, number]) => expected.has(address);
  assert.deepEqual(new Map([...(await countSightings(fleet.coordinator))].filter(isOfRound)), expected);
  await untilAllAgree(fleet.coordinator, agents);
}

async function postgresPid(): Promise<number> {
  const file = join(fleet.coordinator.dir, "data/postgres/cluster/postmaster.pid");
  return await eventually(
    "Postgres runs",
    async () => Number((await readFile(file, "utf8")).split("\n")[0]) || undefined,
  );
}
