/** The room's law: after any history of lists and of the kernel, the kernel holds what is wanted, and its rules are there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { List } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import fc from "fast-check";
import { EXEMPT, FEEDS, FLEET, listing } from "../mirror/mirror.fixture.ts";
import { agentFixture, enforcingFixture } from "./firewall.fixture.ts";
import { listSets } from "./set-names.ts";

type Agent = Awaited<ReturnType<typeof agentFixture>>;

const LISTS = [EXEMPT, FLEET, FEEDS] as const;
const SETTINGS = { reconcile: { checkMs: 1_000, readBackMs: 30_000 } };

const prefix = fc.oneof(
  fc.nat(20).map((n) => parsePrefix(`81.0.0.${n + 1}`)),
  fc.nat(4).map((n) => parsePrefix(`82.0.${n}.0/24`)),
  fc.nat(4).map((n) => parsePrefix(`2a01:${n}::/64`)),
);
const list = fc.constantFrom(...LISTS);
const put = fc.record({ prefix, seconds: fc.constantFrom(0, 30, 400, 90_000), rank: fc.nat(9) });
const puts = fc.uniqueArray(put, { selector: (one) => one.prefix, maxLength: 12 });

const step = fc.oneof(
  fc.record({ kind: fc.constant("delta" as const), list, puts, removes: fc.uniqueArray(prefix, { maxLength: 6 }) }),
  fc.record({ kind: fc.constant("snapshot" as const), list, puts }),
  fc.record({
    kind: fc.constantFrom("flush" as const, "destroy" as const),
    list,
    family: fc.constantFrom(4 as const, 6 as const),
  }),
  fc.record({ kind: fc.constantFrom("sneakAdd" as const, "sneakRemove" as const), list, prefix }),
  fc.record({ kind: fc.constant("local" as const), prefix: fc.nat(20).map((n) => parsePrefix(`81.0.0.${n + 1}`)) }),
  fc.record({ kind: fc.constantFrom("dropRules" as const, "fail" as const, "restart" as const) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 700, 20_000, 1_000_000) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

for (const capacity of [0, 12]) {
  test(`after any history the kernel holds what is wanted (capacity ${capacity})`, { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        let agent: Agent = await enforcingFixture({}, { ...SETTINGS, capacity, reserve: 2 });
        for (const one of steps) agent = await carryOut(agent, one, capacity);
        await agent.pass(200_000);
        await assertConverged(agent);
        await agent.stop();
      }),
      { numRuns: 50 },
    );
  });
}

test("what falls below the line in a long delta goes, though the line stays where it is", async () => {
  const agent = await enforcingFixture({}, { ...SETTINGS, capacity: 1_000, reserve: 100 });
  const until = unixSeconds(secondsFromMs(agent.clock.nowMs()) + 900_000);
  const ranked = (from: number, to: number, rank: number) =>
    Array.from({ length: to - from }, (_, at) =>
      listing(parsePrefix(`81.0.${(from + at) >> 8}.${(from + at) & 255}`), until, rank),
    );
  await agent.delta(FEEDS, [], [...ranked(0, 700, 5), ...ranked(700, 1_400, 7)]);
  await agent.pass(60_000);
  await assertConverged(agent, 1_100);
  await agent.delta(FEEDS, [], [...ranked(0, 520, 9), ...ranked(1_400, 1_920, 6)]);
  await agent.pass(60_000);
  await assertConverged(agent, 1_100);
  await agent.stop();
});

async function carryOut(agent: Agent, one: Step, capacity: number): Promise<Agent> {
  const { kernel } = agent;
  const now = secondsFromMs(agent.clock.nowMs());
  const listings =
    "puts" in one
      ? one.puts.map(({ prefix, seconds, rank }) => listing(prefix, seconds === 0 ? 0 : now + seconds, rank))
      : [];
  switch (one.kind) {
    case "delta": {
      const put = new Set(listings.map(({ prefix }) => prefix));
      await agent.delta(
        one.list,
        one.removes.filter((prefix) => !put.has(prefix)),
        listings,
      );
      break;
    }
    case "snapshot":
      await agent.snapshot(one.list, listings);
      break;
    case "flush":
      await kernel.flush(listSets(one.list)[one.family]);
      break;
    case "destroy":
      await kernel.destroy(listSets(one.list)[one.family]);
      break;
    case "sneakAdd":
    case "sneakRemove": {
      const set = listSets(one.list)[one.prefix.includes(":") ? 6 : 4];
      const kind = one.kind === "sneakAdd" ? "add" : "remove";
      await kernel.sneak([{ kind, set, prefix: one.prefix, timeoutSeconds: 500 }]);
      break;
    }
    case "local":
      agent.firewall.addLocal(one.prefix, 300);
      break;
    case "dropRules":
      await kernel.dropRules();
      break;
    case "fail":
      kernel.failures = 3;
      break;
    case "restart": {
      await agent.stop();
      const again = await agentFixture(agent, { ...SETTINGS, capacity, reserve: 2 }, agent.mirror);
      again.firewall.setOwn([parsePrefix("93.184.216.1")]);
      return again;
    }
    case "pass":
      await agent.pass(one.ms);
  }
  return agent;
}

async function assertConverged(agent: Agent, mostCut = 14): Promise<void> {
  const { firewall, kernel, mirror } = agent;
  const now = secondsFromMs(agent.clock.nowMs());
  const state = firewall.state();
  assert.equal(state.rules.kind, "present");
  for (const one of LISTS) {
    const { blocklist, revision } = mirror.get(one.list)!.held!;
    const line = firewall.applied(one.list)!.line;
    const isBelowLine = (rank: number) => line === undefined || rank < line.rank; // at the line itself a bucket decides
    const inForce = [...blocklist.listings()].filter(({ until }) => !isExpired(until, now));
    const wanted = inForce
      .filter(({ rank }) => isBelowLine(rank))
      .map((found) => found.prefix)
      .sort();
    const atLine = new Set(inForce.filter(({ rank }) => rank === line?.rank).map((found) => found.prefix));
    // An expired listing's entry is left to its timeout, also when somebody gave it a longer one.
    const isLeft = (found: Prefix) => blocklist.has(found) && isExpired(blocklist.get(found)!.until, now);
    const entries = (await entriesOf(agent, one)).filter((found) => !isLeft(found));
    assert.deepEqual(
      entries.filter((found) => !atLine.has(found)),
      wanted,
      `list ${one.name}, line ${JSON.stringify(line)}`,
    );
    assert.equal(firewall.applied(one.list)?.revision, revision, one.name);
    for (const [entry, left] of await timeoutsOf(agent, one)) {
      const { until } = blocklist.get(entry)!;
      if (until !== 0 && !isLeft(entry))
        assert.ok(left <= until - now + 6, `${entry} for ${left} s, listed for ${until - now} s`);
    }
  }
  const cut = [...(await entriesOf(agent, FLEET)), ...(await entriesOf(agent, FEEDS))];
  if (state.lists.some(({ line }) => line !== undefined)) assert.ok(cut.length <= mostCut, `${cut.length} entries`);
  assert.ok((await kernel.headers()).every(({ name }) => !name.endsWith("-n")));
}

async function entriesOf(agent: Agent, one: List): Promise<Prefix[]> {
  return [...(await timeoutsOf(agent, one)).keys()].sort();
}

async function timeoutsOf(agent: Agent, one: List): Promise<Map<Prefix, number>> {
  const names = listSets(one);
  return new Map([...(await agent.kernel.timeouts(names[4])), ...(await agent.kernel.timeouts(names[6]))]);
}
