import assert from "node:assert/strict";
import { test } from "node:test";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { judgeIdle, type OpenEndedListing, type Witness } from "./prune.ts";

const DAY = 86_400;
const NOW = unixSeconds(1_900_000_000);
const policy = { pruneAfterSeconds: 90 * DAY };
const daysAgo = (days: number): UnixSeconds => unixSeconds(NOW - Math.round(days * DAY));
const IDLE: OpenEndedListing = { since: daysAgo(200), lastTriedAt: daysAgo(91), hasListingsInside: false };
const COUNTING: Witness = {
  name: "web1",
  enrolledAt: daysAgo(300),
  lastSeenAt: daysAgo(0),
  countingSince: daysAgo(299),
};

const judge = (listing: Partial<OpenEndedListing>, witnesses: readonly Partial<Witness>[] = [{}]) =>
  judgeIdle(
    { ...IDLE, ...listing },
    witnesses.map((witness) => ({ ...COUNTING, ...witness })),
    policy,
    NOW,
  );

test("a listing that nobody has tried for as long as the policy says is pruned", () => {
  assert.deepEqual(judge({}), { kind: "prune" });
  assert.deepEqual(judge({ lastTriedAt: undefined }), { kind: "prune" });
});

test("without prune_after nothing ever is", () => {
  assert.deepEqual(judgeIdle(IDLE, [COUNTING], { pruneAfterSeconds: 0 }, NOW), { kind: "off" });
});

test("one that was tried or banned within the time is kept, until so long after", () => {
  assert.deepEqual(judge({ lastTriedAt: daysAgo(89) }), { kind: "kept", because: "tried", notBefore: daysAgo(-1) });
  assert.deepEqual(judge({ since: daysAgo(30) }), { kind: "kept", because: "young", notBefore: daysAgo(-60) });
});

test("one with narrower listings inside is kept", () => {
  assert.deepEqual(judge({ hasListingsInside: true }), { kind: "kept", because: "listings-inside" });
});

test("no counters are not no hits", () => {
  const nobody = { kind: "kept", because: "not-counted", agent: undefined };
  assert.deepEqual(judge({}, []), nobody);
  assert.deepEqual(judge({}, [{ lastSeenAt: undefined, countingSince: undefined }]), nobody);
  for (const unknown of [
    { countingSince: undefined },
    { countingSince: daysAgo(89) },
    { lastSeenAt: daysAgo(3) }, // what its kernel counted since has not been told
  ]) {
    const verdict = judge({}, [{}, { ...unknown, name: "web2" }]);
    assert.deepEqual(verdict, { kind: "kept", because: "not-counted", agent: "web2" });
  }
});

test("a new server counts from its enrollment on, and one that is long gone is waited for no more", () => {
  const young = { enrolledAt: daysAgo(10), countingSince: daysAgo(9.9) };
  assert.deepEqual(judge({}, [{}, young]), { kind: "prune" });
  assert.deepEqual(judge({}, [young]), { kind: "kept", because: "not-counted", agent: undefined });
  assert.deepEqual(judge({}, [{}, { lastSeenAt: daysAgo(91), countingSince: undefined }]), { kind: "prune" });
});

test("whatever the witnesses say, nothing is pruned that was tried within the time, or while none of them counted", () => {
  const days = fc.double({ min: 0, max: 400, noNaN: true }).map(daysAgo);
  const maybe = fc.option(days, { nil: undefined });
  const listing = fc.record({ since: days, lastTriedAt: maybe, hasListingsInside: fc.boolean() });
  const name = fc.constant("web");
  const witness = fc.record({ name, enrolledAt: days, lastSeenAt: maybe, countingSince: maybe });
  fc.assert(
    fc.property(
      listing,
      fc.array(witness, { maxLength: 4 }),
      fc.integer({ min: 1, max: 200 }),
      (one, witnesses, after) => {
        const verdict = judgeIdle(one, witnesses, { pruneAfterSeconds: after * DAY }, NOW);
        if (verdict.kind !== "prune") return;
        const from = NOW - after * DAY;
        assert.ok(one.since <= from && (one.lastTriedAt ?? 0) <= from);
        assert.ok(witnesses.some(({ countingSince }) => (countingSince ?? NOW) <= from));
        const later = judgeIdle(
          { ...one, lastTriedAt: unixSeconds(from + 1) },
          witnesses,
          { pruneAfterSeconds: after * DAY },
          NOW,
        );
        assert.equal(later.kind, "kept");
      },
    ),
    { numRuns: 2_000 },
  );
});
