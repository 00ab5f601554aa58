import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { decide } from "./decide.ts";
import { emptyEvidence, type InsideStrike } from "./evidence.ts";
import type { Policy } from "./policy.ts";
import { DEFAULT_POLICY } from "./policy-in-force.ts";
import { widened, widerThan } from "./widen.ts";

const NOW = unixSeconds(1_800_000_000);
const policy: Policy = {
  ...DEFAULT_POLICY,
  widening: {
    4: { members: 3, agents: 2, lengths: [24] },
    6: { members: 3, agents: 2, lengths: [56, 48] },
  },
};
const NEIGHBORHOOD = parsePrefix("198.50.0.0/24");
const SITE = parsePrefix("2a0a:0:0:ff00::/56");
const CUSTOMER = parsePrefix("2a0a::/48");

test("IPv6 widens from 64 bits to 56 and 48 unasked, IPv4 only where the policy says so", () => {
  const wider = (text: string, given: Policy) => widerThan(parsePrefix(text), given).map(String);
  assert.deepEqual(wider("2a0a:0:0:ff01::/64", DEFAULT_POLICY), ["2a0a:0:0:ff00::/56", "2a0a::/48"]);
  assert.deepEqual(wider("2a0a:0:0:ff00::/56", DEFAULT_POLICY), ["2a0a::/48"]);
  assert.deepEqual(wider("198.50.0.7", DEFAULT_POLICY), []);
  assert.deepEqual(wider("198.50.0.7", policy), ["198.50.0.0/24"]);
  assert.deepEqual(wider("198.50.0.0/24", policy), []);
});

test("a neighborhood is listed while enough of its addresses are, seen by enough agents, and ends with them", () => {
  const three = [struck("198.50.0.1", 900, 1), struck("198.50.0.2", 600, 2), struck("198.50.0.3", 300, 1)];
  assert.deepEqual(outcome(three.slice(0, 2)), undefined);
  assert.deepEqual(outcome(three), [300, 3], "until the third of them ends");
  assert.deepEqual(outcome([...three, struck("198.50.0.4", 700, 1)]), [600, 4]);
  assert.deepEqual(
    outcome([...three, struck("198.50.0.3", 800, 1)]),
    [600, 3],
    "one address is one, however often struck",
  );
  const byOne = three.map((strike) => ({ ...strike, agents: [1] }));
  assert.equal(outcome(byOne), undefined, "one agent alone can't have a network listed");
  assert.equal(outcome([...byOne, struck("198.50.0.9", 100, 2)])?.[0], 100, "nor longer than two agents vouch for it");
});

test("many addresses of one IPv6 network are one piece of evidence, at each step", () => {
  const inOneNetwork = [1, 2, 3].map((last) => struck(`2a0a:0:0:ff01::${last}`, 900, last));
  assert.equal(outcome(inOneNetwork, SITE), undefined);
  const networks = [1, 2, 3].map((last) => struck(`2a0a:0:0:ff0${last}::/64`, 900, last));
  assert.deepEqual(outcome(networks, SITE), [900, 3]);
  assert.equal(outcome(networks, CUSTOMER), undefined, "three networks of one site are one site");
  const sites = [1, 2, 3].map((last) => struck(`2a0a:0:0:f${last}00::/64`, 900, last));
  assert.deepEqual(outcome(sites, CUSTOMER), [900, 3]);
});

test("nothing is widened over what is exempt or the fleet's own, nor over protected ranges", () => {
  const inside = [1, 2, 3].map((last) => struck(`198.50.0.${last}`, 900, last));
  const sheltered = { ...emptyEvidence(NEIGHBORHOOD), inside, shelters: parsePrefix("198.50.0.77") };
  assert.equal(decide(sheltered, policy, NOW).kind, "not-listed");
  const documentation = parsePrefix("192.0.2.0/24");
  const special = [1, 2, 3].map((last) => struck(`192.0.2.${last}`, 900, last));
  assert.equal(decide({ ...emptyEvidence(documentation), inside: special }, policy, NOW).kind, "not-listed");
});

test("decide lists what is widened, with how many it rests on, and without a strike of its own", () => {
  const inside = [1, 2, 3].map((last) => struck(`198.50.0.${last}`, 900, last));
  const verdict = decide({ ...emptyEvidence(NEIGHBORHOOD), inside }, policy, NOW);
  assert.ok(verdict.kind === "listed");
  assert.deepEqual(verdict.reasons, [{ kind: "widened", number: 3 }]);
  assert.deepEqual([verdict.strike, verdict.until], [undefined, NOW + 900]);
});

test("one more inside never lists the network for less", () => {
  const any = fc.record({
    prefix: fc.integer({ min: 0, max: 255 }).map((last) => parsePrefix(`198.50.0.${last}`)),
    until: fc.integer({ min: -100, max: 1_000 }).map((left) => unixSeconds(NOW + left)),
    agents: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 8 }), any, (some, oneMore) => {
      const [before, after] = [outcome(some), outcome([...some, oneMore])];
      if (before !== undefined) assert.ok((after?.[0] ?? -1) >= (before[0] ?? 0));
    }),
    { numRuns: 2_000 },
  );
});

/** For how long, and on how many it rests. */
function outcome(inside: readonly InsideStrike[], prefix = NEIGHBORHOOD): number[] | undefined {
  const wide = widened({ prefix, inside, shelters: undefined }, policy, NOW);
  return wide === undefined ? undefined : [wide.until - NOW, wide.members];
}

function struck(text: string, secondsLeft: number, agentNo: number): InsideStrike {
  return { prefix: parsePrefix(text), until: unixSeconds(NOW + secondsLeft), agents: [agentNo] };
}
