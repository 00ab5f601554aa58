import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { laterUntil } from "@fleetban/proto/model/until";
import fc from "fast-check";
import { decide, type Verdict } from "./decide.ts";
import { type Evidence, type Exemption, emptyEvidence, type FreshSighting, type Strike } from "./evidence.ts";
import { remember } from "./offender.ts";
import type { Policy } from "./policy.ts";
import { DEFAULT_POLICY } from "./policy-in-force.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
const start = 1_800_000_000;
const attacker = parsePrefix("198.50.0.7");

test("the first sighting lists for an hour, at least for the local ban time, at most for thirty days", () => {
  const untils = [600, 2 * HOUR, -1, 365 * DAY, 0].map((banSeconds) => after(sighting(0, { banSeconds })));
  assert.deepEqual(untils, [HOUR, 2 * HOUR, 30 * DAY, 30 * DAY, HOUR]);
});

test("each strike after the end of the last one lists for a rung more, and the third makes a repeat offender", () => {
  const history = replay([0, 2 * HOUR, 10 * HOUR, 40 * HOUR, 20 * DAY, 60 * DAY].map((at) => sighting(at)));
  assert.deepEqual(
    history.map(({ verdict, at }) =>
      verdict.kind === "listed" ? [verdict.until - start - at, verdict.rank] : verdict.because,
    ),
    [
      [HOUR, RANK.fleet],
      [4 * HOUR, RANK.fleet],
      [DAY, RANK.repeat],
      [7 * DAY, RANK.repeat],
      [30 * DAY, RANK.repeat],
      [30 * DAY, RANK.repeat],
    ],
  );
});

test("an address that behaves for long enough begins the ladder anew", () => {
  const { strikeMemorySeconds } = DEFAULT_POLICY;
  const lastEnd = 10 * HOUR + DAY;
  const again = (seconds: number) => replay([0, 2 * HOUR, 10 * HOUR, seconds].map((at) => sighting(at))).at(-1);
  const rungs = [lastEnd + strikeMemorySeconds - 1, lastEnd + strikeMemorySeconds].map((at) => {
    const { verdict } = again(at)!;
    return [untilOf(verdict) - at, verdict.kind === "listed" && verdict.rank];
  });
  assert.deepEqual(rungs, [
    [7 * DAY, RANK.repeat],
    [HOUR, RANK.fleet],
  ]);
});

test("what many servers see within an hour is one strike, which it extends", () => {
  const history = replay([0, 1, 60, 1800].map((at, agentNo) => sighting(at, { agentNo })));
  assert.equal(history.at(-1)?.strikes.length, 1);
  assert.equal(untilOf(history.at(-1)!.verdict), 1800 + HOUR);
});

test("a prolonged local ban prolongs the listing and is no strike", () => {
  const history = replay([sighting(0), sighting(5, { kind: "prolong", banSeconds: 3 * DAY })]);
  assert.deepEqual([history.at(-1)?.strikes.length, untilOf(history.at(-1)!.verdict)], [1, 5 + 3 * DAY]);
});

test("a prolongation prolongs what is in force, though a later strike has ended, and weak sightings came between", () => {
  const ends = (...seen: FreshSighting[]) => listedAt(replay(seen, policy), 3 * DAY);
  const policy: Policy = { ...DEFAULT_POLICY, jailWeights: { noise: 0.4 } };
  const strong = sighting(0, { banSeconds: -1 });
  const prolonged = (second: number) => sighting(second, { kind: "prolong", banSeconds: -1 });
  const later = ends(strong, sighting(HOUR + 1), prolonged(6 * HOUR));
  assert.equal(untilOf(later), 6 * HOUR + 30 * DAY);
  const faded = ends(strong, sighting(23 * HOUR, { jail: "noise" }), prolonged(23 * HOUR + 1));
  assert.equal(untilOf(faded), 23 * HOUR + 1 + 30 * DAY);
});

test("a sighting that is all over by now is remembered and lists nothing", () => {
  const verdict = decide({ ...emptyEvidence(attacker), fresh: [sighting(-2 * HOUR)] }, DEFAULT_POLICY, now(0));
  assert.deepEqual([verdict.kind, verdict.offender?.sightings], ["not-listed", 1]);
});

test("corroboration wants as many agents within its window, a feed standing for one", () => {
  const policy: Policy = { ...DEFAULT_POLICY, corroboration: 2 };
  const one = { ...emptyEvidence(attacker), fresh: [sighting(0, { agentNo: 1 }), sighting(1, { agentNo: 1 })] };
  const two = { ...one, fresh: [sighting(0, { agentNo: 1 }), sighting(1, { agentNo: 2 })] };
  const withFeed = { ...one, feeds: [{ feedNo: 1, confidence: 100 }] };
  const late = { ...two, fresh: [sighting(-2 * DAY, { agentNo: 1, banSeconds: -1 }), sighting(1, { agentNo: 2 })] };
  const kinds = [one, two, withFeed, late].map((evidence) => decide(evidence, policy, now(2)).kind);
  assert.deepEqual(kinds, ["not-listed", "listed", "listed", "not-listed"]);
});

test("a jail's weight adds up to the threshold and fades", () => {
  const policy: Policy = { ...DEFAULT_POLICY, jailWeights: { noise: 0.5, nothing: 0 } };
  const seen = (...at: number[]) => ({
    ...emptyEvidence(attacker),
    fresh: at.map((second) => sighting(second, { jail: "noise", banSeconds: -1 })),
  });
  assert.equal(decide(seen(0), policy, now(0)).kind, "not-listed");
  assert.equal(decide(seen(0, 0), policy, now(0)).kind, "listed");
  assert.equal(decide(seen(-2 * DAY, 0), policy, now(0)).kind, "not-listed");
  const weightless = { ...emptyEvidence(attacker), fresh: [sighting(0, { jail: "nothing" })] };
  assert.equal(decide(weightless, policy, now(0)).kind, "not-listed");
});

test("after a pardon only what is sighted after its end counts, and the ladder begins anew", () => {
  const ended: Exemption = { kind: "pardoned", number: 1, prefix: attacker, until: now(100) };
  const known: Evidence = {
    ...emptyEvidence(attacker),
    strikes: [strike(1, 0), strike(2, 50)],
    exemptions: [ended],
  };
  assert.equal(decide({ ...known, fresh: [sighting(99), sighting(100)] }, DEFAULT_POLICY, now(200)).kind, "not-listed");
  assert.equal(untilOf(decide({ ...known, fresh: [sighting(101)] }, DEFAULT_POLICY, now(200))), 101 + HOUR);
});

test("an operator's ban lists at rank 0 until its end or a strike's, whichever is later", () => {
  const bans = [{ banNo: 5, until: now(2 * HOUR), rank: RANK.operator }];
  const banned = decide({ ...emptyEvidence(attacker), bans }, DEFAULT_POLICY, now(0));
  assert.deepEqual([untilOf(banned), banned.kind === "listed" && banned.rank], [2 * HOUR, RANK.operator]);
  const both = decide({ ...emptyEvidence(attacker), bans, strikes: [strike(1, 0, DAY)] }, DEFAULT_POLICY, now(60));
  assert.deepEqual([untilOf(both), both.kind === "listed" && both.rank], [DAY, RANK.operator]);
  const forever = [{ banNo: 5, until: unixSeconds(0), rank: RANK.operator }];
  const open = decide(
    { ...emptyEvidence(attacker), bans: forever, strikes: [strike(1, 0, DAY)] },
    DEFAULT_POLICY,
    now(60),
  );
  assert.equal(open.kind === "listed" && open.until, 0);
});

test("one more sighting never lists for less", () => {
  const sightings = fc.array(anySighting(), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sightings, anySighting(), anyPolicy(), (seen, oneMore, policy) => {
      const apart = [...seen].sort((a, b) => a.at - b.at);
      const together = [...seen, oneMore].sort((a, b) => a.at - b.at);
      const end = Math.max(...together.map(({ at }) => at));
      assertNotLess(listedAt(replay(apart, policy), end), listedAt(replay(together, policy), end));
    }),
    { numRuns: 2_000 },
  );
});

test("one more sighting in the same commit never lists for less", () => {
  fc.assert(
    fc.property(anyEvidence(), anySighting(), anyPolicy(), (evidence, oneMore, policy) => {
      const before = decide(evidence, policy, now(30 * DAY));
      const after = decide({ ...evidence, fresh: [...evidence.fresh, oneMore] }, policy, now(30 * DAY));
      assertNotLess(before, after);
    }),
    { numRuns: 2_000 },
  );
});

test("what was enough when it was seen is enough, whatever weak sighting comes with it later", () => {
  const policy: Policy = { ...DEFAULT_POLICY, jailWeights: { noise: 0.4 } };
  const strong = sighting(0, { banSeconds: -1 });
  const weak = sighting(23 * HOUR, { jail: "noise" });
  const listedUntil = (...fresh: FreshSighting[]) =>
    untilOf(decide({ ...emptyEvidence(attacker), fresh }, policy, now(23 * HOUR)));
  assert.deepEqual([listedUntil(strong), listedUntil(strong, weak)], [30 * DAY, 30 * DAY]);
  const offender = remember(undefined, [weak], unixSeconds(0), policy); // that one was told first
  const known = { ...emptyEvidence(attacker), offender, fresh: [strong] };
  assert.equal(untilOf(decide(known, policy, now(23 * HOUR))), 30 * DAY);
  const weakOnly = { ...emptyEvidence(attacker), fresh: [sighting(0, { jail: "noise" }), weak] };
  assert.equal(decide(weakOnly, policy, now(23 * HOUR)).kind, "not-listed");
});

test("in which order agents and feeds are read does not matter", () => {
  const shuffled = anyEvidence().chain((evidence) =>
    fc.record({
      evidence: fc.constant(evidence),
      fresh: fc.shuffledSubarray([...evidence.fresh], { minLength: evidence.fresh.length }),
      strikes: fc.shuffledSubarray([...evidence.strikes], { minLength: evidence.strikes.length }),
      feeds: fc.shuffledSubarray([...FEEDS], { minLength: FEEDS.length }),
    }),
  );
  fc.assert(
    fc.property(shuffled, anyPolicy(), ({ evidence, feeds, ...order }, policy) => {
      const one = decide({ ...evidence, feeds: FEEDS }, policy, now(30 * DAY));
      const other = decide({ ...evidence, feeds, ...order }, policy, now(30 * DAY));
      assert.deepEqual(withoutOrder(other), withoutOrder(one));
    }),
    { numRuns: 2_000 },
  );
});

test("what a jail without weight sights is no evidence, neither to list nor to extend", () => {
  const policy: Policy = { ...DEFAULT_POLICY, jailWeights: { nothing: 0 } };
  const known = { ...emptyEvidence(attacker), strikes: [strike(1, 0)] };
  const fresh = [sighting(10, { jail: "nothing", banSeconds: -1 })];
  const verdict = decide({ ...known, fresh }, policy, now(20));
  assert.deepEqual([untilOf(verdict), verdict.offender], [HOUR, undefined]);
});

test("text that an attacker can forge lists with a second sighting, and a jail's own weight overrules that", () => {
  const twice = [sighting(0, { jail: "nginx-limit-req" }), sighting(60, { jail: "nginx-limit-req", agentNo: 2 })];
  const kinds = (fresh: readonly FreshSighting[], policy = DEFAULT_POLICY) =>
    decide({ ...emptyEvidence(attacker), fresh }, policy, now(60)).kind;
  assert.deepEqual([kinds(twice.slice(0, 1)), kinds(twice)], ["not-listed", "listed"]);
  assert.equal(kinds(twice.slice(0, 1), { ...DEFAULT_POLICY, jailWeights: { "nginx-limit-req": 1 } }), "listed");
  assert.equal(kinds([sighting(0, { protocol: "udp" })]), "not-listed");
});

test("no sighting lists for less than the minimum", () => {
  const policy: Policy = { ...DEFAULT_POLICY, ladderSeconds: [60], minSeconds: 900 };
  assert.equal(untilOf(decide({ ...emptyEvidence(attacker), fresh: [sighting(0)] }, policy, now(0))), 900);
});

test("nothing protected, allowed or pardoned is ever listed, whatever speaks for it", () => {
  const shield = fc.oneof(
    fc
      .constantFrom("10.1.2.3", "127.0.0.1", "192.0.2.9", "224.0.0.1", "fe80::1", "2001:db8::/64", "::1")
      .map((text) => ({
        prefix: parsePrefix(text),
      })),
    fc.constant({ ownAddress: attacker }),
    fc
      .record({
        kind: fc.constantFrom("allowed" as const, "pardoned" as const),
        number: fc.constant(1),
        prefix: fc.constant(parsePrefix("198.50.0.0/16")),
        until: fc.constantFrom(unixSeconds(0), now(31 * DAY)),
      })
      .map((exemption) => ({ exemptions: [exemption] })),
  );
  fc.assert(
    fc.property(anyEvidence(), shield, anyPolicy(), (evidence, shielded, policy) => {
      const exemptions = [...evidence.exemptions, ...("exemptions" in shielded ? shielded.exemptions : [])];
      const verdict = decide({ ...evidence, ...shielded, exemptions }, policy, now(30 * DAY));
      assert.equal(verdict.kind, "not-listed");
    }),
  );
});

const FEEDS = [
  { feedNo: 1, confidence: 100 },
  { feedNo: 2, confidence: 50 },
];

/** Reasons and agents are sets. */
function withoutOrder(verdict: Verdict) {
  const { offender } = verdict;
  const recent = offender?.recent.map(({ agentNo, at }) => `${agentNo} ${at}`).toSorted();
  if (verdict.kind === "not-listed") return { ...verdict, offender: { ...offender, recent } };
  const reasons = verdict.reasons.map(({ kind, number }) => `${kind} ${number}`).toSorted();
  return { ...verdict, reasons, offender: { ...offender, recent } };
}

interface Moment {
  readonly at: number;
  readonly verdict: Verdict;
  readonly strikes: readonly Strike[];
}

/** One commit a sighting, in the order of time, each at the moment of the sighting. */
function replay(sightings: readonly FreshSighting[], policy = DEFAULT_POLICY): Moment[] {
  let known = emptyEvidence(attacker);
  return sightings.map((one) => {
    const verdict = decide({ ...known, fresh: [one] }, policy, one.at);
    const change = verdict.kind === "listed" ? verdict.strike : undefined;
    let { strikes } = known;
    if (change?.kind === "new") strikes = [...strikes, { ...change, strikeNo: strikes.length + 1 }];
    if (change?.kind === "extended") {
      strikes = strikes.map((each) => (each.strikeNo === change.strikeNo ? { ...each, until: change.until } : each));
    }
    known = { ...known, strikes, offender: verdict.offender };
    return { at: one.at - start, verdict, strikes };
  });
}

/** What is in force at that moment of all that was decided up to it. */
function listedAt(history: readonly Moment[], end: number): Verdict {
  const strikes = history.at(-1)?.strikes ?? [];
  return decide({ ...emptyEvidence(attacker), strikes }, DEFAULT_POLICY, unixSeconds(end));
}

function assertNotLess(less: Verdict, more: Verdict): void {
  if (less.kind !== "listed") return;
  assert.ok(more.kind === "listed", `listed until ${less.until}, and not at all with one more`);
  assert.equal(laterUntil(less.until, more.until), more.until, `until ${less.until}, ${more.until} with one more`);
}

function now(second: number) {
  return unixSeconds(start + second);
}

function sighting(second: number, given: Partial<FreshSighting> = {}): FreshSighting {
  return {
    agentNo: 1,
    kind: "ban",
    jail: "sshd",
    source: "fail2ban",
    protocol: "tcp",
    at: now(second),
    banSeconds: 600,
    failures: 5,
    ...given,
  };
}

function strike(strikeNo: number, second: number, rungSeconds = HOUR): Strike {
  return { strikeNo, struckAt: now(second), until: now(second + rungSeconds), rungSeconds };
}

function after(one: FreshSighting): number {
  return untilOf(decide({ ...emptyEvidence(attacker), fresh: [one] }, DEFAULT_POLICY, now(0)));
}

function untilOf(verdict: Verdict): number {
  assert.ok(verdict.kind === "listed", JSON.stringify(verdict));
  return verdict.until - start;
}

function anySighting() {
  return fc.record({
    agentNo: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom("ban" as const, "ban" as const, "prolong" as const),
    jail: fc.constantFrom("sshd", "noise", "nginx-http-auth"),
    source: fc.constantFrom("fail2ban" as const, "log" as const),
    protocol: fc.constantFrom("tcp", "udp"),
    at: fc.integer({ min: 0, max: 30 * DAY }).map(now),
    banSeconds: fc.constantFrom(-1, 0, 600, HOUR, 5 * HOUR, 10 * DAY),
    failures: fc.constant(5),
  });
}

function anyEvidence(): fc.Arbitrary<Evidence> {
  return fc.record({
    prefix: fc.constant(attacker),
    fresh: fc.array(anySighting(), { maxLength: 4 }),
    offender: fc.constant(undefined),
    strikes: fc
      .uniqueArray(fc.integer({ min: 0, max: 30 * DAY }), { maxLength: 4 })
      .map((seconds) => seconds.map((second, index) => strike(index + 1, second, HOUR * (index + 1)))),
    bans: fc.array(
      fc.record({
        banNo: fc.nat(),
        until: fc.constantFrom(unixSeconds(0), now(31 * DAY)),
        rank: fc.constant(RANK.operator),
      }),
      { maxLength: 1 },
    ),
    feeds: fc.constant([]),
    exemptions: fc.constantFrom<Exemption[]>([], [{ kind: "pardoned", number: 2, prefix: attacker, until: now(DAY) }]),
    ownAddress: fc.constant(undefined),
    list: fc.constant(LIST_FLEET),
    inside: fc.array(anyInside(), { maxLength: 6 }),
    shelters: fc.constant(undefined),
  });
}

function anyInside() {
  return fc.record({
    prefix: fc.integer({ min: 0, max: 255 }).map((last) => parsePrefix(`198.50.0.${last}`)),
    until: fc.integer({ min: 0, max: 60 * DAY }).map(now),
    agents: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1 }),
  });
}

function anyPolicy(): fc.Arbitrary<Policy> {
  return fc
    .record({ corroboration: fc.constantFrom(1, 2), jailWeights: fc.constantFrom({}, { noise: 0.4 }) })
    .map((given) => ({ ...DEFAULT_POLICY, ...given }));
}
