/** The law of runs: a kernel that takes columns ends up with what one that takes ops only does, and the agent knows as much. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Listing } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs, unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { EXEMPT, FEEDS, FLEET, heldFixture, KEY, listing } from "../mirror/mirror.fixture.ts";
import { type ApplyParts, applyBatch } from "./apply-batch.ts";
import type { Op, RefusalCode } from "./backend.ts";
import { planRun } from "./entry-run.ts";
import { enforcingFixture, kernelFixture, machineFixture, START_SECONDS } from "./firewall.fixture.ts";
import { listSets } from "./set-names.ts";
import { createSetRegistry } from "./set-registry.ts";

type Agent = Awaited<ReturnType<typeof enforcingFixture>>;

/** Ordinary ones, networks, IPv6, protected ones, and wider than any list may ban. */
const prefix = fc.oneof(
  fc.nat(60).map((n) => parsePrefix(`81.0.0.${n + 1}`)),
  fc.nat(4).map((n) => parsePrefix(`82.0.${n}.0/24`)),
  fc.nat(9).map((n) => parsePrefix(`2a01:${n}::/64`)),
  fc.constantFrom(...["10.1.2.3", "198.51.100.9", "12.0.0.0/7", "2001:db8::7", "2a00::/12"].map(parsePrefix)),
);
const put = fc.record({ prefix, seconds: fc.constantFrom(-9, 0, 2, 400, 900_000), rank: fc.nat(9) });
const puts = fc.uniqueArray(put, { selector: (one) => one.prefix, maxLength: 40 });
const list = fc.constantFrom(FLEET, FEEDS);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("snapshot" as const), list, puts }) },
  fc.record({ kind: fc.constant("delta" as const), list, puts }),
  fc.record({ kind: fc.constant("exempt" as const), prefix: fc.nat(60).map((n) => parsePrefix(`81.0.0.${n + 1}`)) }),
  fc.record({ kind: fc.constant("flush" as const), list }),
  fc.record({
    kind: fc.constant("refuse" as const),
    prefix,
    code: fc.constantFrom<RefusalCode | undefined>("kernel-refused", "set-full", undefined),
  }),
  fc.record({ kind: fc.constant("fail" as const) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(0, 1, 700, 40_000, 400_000) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

test("a list that comes as runs ends up as one that comes as ops", { timeout: 240_000 }, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      runs += await compareOutcomes(steps);
    }),
    { numRuns: 150 },
  );
  assert.ok(runs > 150, `${runs} runs`);
});

test("a long delta comes as runs, too", async () => {
  const long = Array.from({ length: 600 }, (_, at) => parsePrefix(`81.${at >> 8}.0.${at & 255}`));
  const putsFor = (seconds: 400 | 900_000) =>
    [...long, ...["10.1.2.3", "12.0.0.0/7", "2a01:5::/64"].map(parsePrefix)].map((one) => ({
      prefix: one,
      seconds,
      rank: 5,
    }));
  const runs = await compareOutcomes([
    { kind: "delta", list: FEEDS, puts: putsFor(400) },
    { kind: "pass", ms: 40_000 },
    { kind: "delta", list: FEEDS, puts: putsFor(900_000) },
  ]);
  assert.ok(runs >= 2, `${runs} runs`);
});

/** How many runs there were. */
async function compareOutcomes(steps: readonly Step[]): Promise<number> {
  let runs = 0;
  const outcomes = [];
  for (const takesRuns of [true, false]) {
    const machine = machineFixture();
    const { addRun } = machine.kernel;
    if (!takesRuns) delete machine.kernel.addRun;
    else
      machine.kernel.addRun = (run) => {
        runs += 1;
        return addRun!(run);
      };
    const agent = await enforcingFixture({}, { reconcile: { checkMs: 1_000, readBackMs: 30_000 } }, machine);
    for (const one of steps) await carryOut(agent, one);
    await agent.pass(60_000);
    outcomes.push(await outcomeOf(agent));
    await agent.stop();
  }
  assert.deepEqual(outcomes[0], outcomes[1]);
  return runs;
}

async function carryOut(agent: Agent, one: Step): Promise<void> {
  const { kernel } = agent;
  switch (one.kind) {
    case "snapshot":
      return agent.snapshot(one.list, listingsOf(agent, one.puts));
    case "delta":
      return agent.delta(one.list, [], listingsOf(agent, one.puts));
    case "exempt":
      return agent.delta(EXEMPT, [], [listing(one.prefix, 0, 0)]);
    case "flush":
      return kernel.flush(listSets(one.list)[4]);
    case "refuse": {
      const { prefix: refused, code } = one;
      let times = code === "set-full" ? 1 : Number.POSITIVE_INFINITY; // a set that grew is not full
      kernel.refuse = (op: Op) => (op.kind === "add" && op.prefix === refused && times-- > 0 ? code : undefined);
      return;
    }
    case "fail":
      kernel.failures = 2;
      return;
    case "pass":
      return agent.pass(one.ms);
  }
}

function listingsOf({ clock }: Agent, all: readonly { prefix: Prefix; seconds: number; rank: number }[]): Listing[] {
  const now = secondsFromMs(clock.nowMs());
  return all.map(({ prefix: one, seconds, rank }) => listing(one, seconds === 0 ? 0 : now + seconds, rank));
}

/** What the kernel holds, and what the agent says of it. */
async function outcomeOf({ kernel, firewall }: Agent) {
  const { refusedEntries, drift, failure, lists, rules } = firewall.state();
  const entries = [];
  for (const { name } of await kernel.headers()) entries.push([name, sorted(await kernel.timeouts(name))]);
  return { entries, refusedEntries, drift, failure, lists, rules };
}

function sorted(timeouts: ReadonlyMap<Prefix, number>) {
  return [...timeouts].sort(([one], [other]) => (one < other ? -1 : 1));
}

test("a run goes to the replacement that is being filled as well, and is known to whoever reads the set back", async () => {
  const { set, kernel, batch, parts } = await oneSet();
  set.replacement = "fleetban-feeds-v4-n";
  set.touched = new Set();
  set.refused.set(ADDRESSES[1]!, "kernel-refused");
  await applyBatch(parts, batch);
  assert.deepEqual(await kernel.entries("fleetban-feeds-v4"), ADDRESSES);
  assert.deepEqual(await kernel.entries("fleetban-feeds-v4-n"), ADDRESSES);
  assert.deepEqual([...set.touched], ADDRESSES);
  assert.equal(set.refused.size, 0);
});

test("a row that found no room, but some in the replacement, is told with its end", async () => {
  const { set, kernel, batch, parts, told } = await oneSet();
  set.replacement = "fleetban-feeds-v4-n";
  kernel.refuse = (op) => (op.set === set.name && op.prefix === ADDRESSES[1] ? "set-full" : undefined);
  await applyBatch(parts, batch);
  assert.deepEqual(told, ["full", "applied 2", `filled ${ADDRESSES[1]} until 3600`]);
});

test("a replacement that lacks a row of a run is not trusted", async () => {
  const { set, kernel, batch, parts, told } = await oneSet();
  set.replacement = "fleetban-feeds-v4-n";
  kernel.refuse = (op) => (op.set === set.replacement && op.prefix === ADDRESSES[1] ? "set-full" : undefined);
  await applyBatch(parts, batch);
  assert.deepEqual(told, ["applied 3", "fill refused"]);
  assert.ok(ADDRESSES.every((address) => set.entries.has(address)));
});

test("of a run that fails as a whole nothing is believed, and all of it is planned again", async () => {
  const { set, kernel, batch, parts, told } = await oneSet();
  kernel.failures = 1;
  await applyBatch(parts, batch);
  assert.deepEqual(told, [`failed ${ADDRESSES.join(" ")}`]);
  assert.equal(set.entries.size, 0);
});

const ADDRESSES = ["81.0.0.1", "81.0.0.2", "81.0.0.3"].map(parsePrefix);

async function oneSet() {
  const clock = createVirtualClock(START_SECONDS * 1_000);
  const kernel = kernelFixture(clock);
  const registry = createSetRegistry(KEY);
  const set = registry.addList(listSets(FEEDS), { kind: "list", list: FEEDS.list, effect: "deny" })[4];
  for (const name of [set.name, `${set.name}-n`]) await kernel.createSet({ name, family: 4, maxEntries: 64 });
  const { blocklist } = heldFixture(
    FEEDS.list,
    ADDRESSES.map((address) => listing(address)),
  );
  const plain = { blocklist, now: unixSeconds(START_SECONDS), leaseSeconds: 3_600 };
  const columns = blocklist.columns()[0]!;
  const { run, rows } = planRun(set, plain, { columns, from: 0, entries: 100, nowSeconds: 0 });
  assert.equal(rows, ADDRESSES.length);
  const told: string[] = [];
  const parts: ApplyParts = {
    ...{ backend: kernel, clock, log: silentLog },
    onApplied: (ops) => told.push(`applied ${[...ops].length}`),
    onFull: () => told.push("full"),
    onSetMissing: () => told.push("missing"),
    onFilled: (_set, prefix, end) => told.push(`filled ${prefix} until ${end}`),
    onFillRefused: () => told.push("fill refused"),
    onFailed: (_lane, planned) => told.push(`failed ${planned.map(({ op }) => op.prefix).join(" ")}`),
    onDone: () => undefined,
  };
  return { set, kernel, parts, told, batch: { lane: "bulk", planned: [], run } as const };
}
