import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import type { ReceivedSighting } from "../policies/replay-offender.ts";
import { decide } from "../policy/decide.ts";
import { type Evidence, emptyEvidence } from "../policy/evidence.ts";
import type { Policy } from "../policy/policy.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { explainEvidence } from "./explain-evidence.ts";
import type { OlderSightings } from "./stored-evidence.ts";

const HOUR = 3_600;
const start = Date.UTC(2026, 0, 2, 3) / 1_000;
const now = unixSeconds(start + 600);
const attacker = parsePrefix("198.50.0.7");
const names = {
  agent: (agentNo: number) => `web${agentNo}`,
  feed: () => "drop",
  pack: (row: number) => (row === 7 ? "crawlers" : undefined),
};
const window = { from: unixSeconds(0), begunAt: () => unixSeconds(0) };

test("each piece of evidence is told with the lines that weigh it, and with what would be without it", () => {
  const corroborated: Policy = { ...DEFAULT_POLICY, corroboration: 2 };
  const sightings = [seen(1, 0), seen(2, 60)];
  const known = stored(sightings, corroborated);
  assert.deepEqual(explained(known, sightings, corroborated), [
    [
      "web2: 1 ban by sshd (fail2ban, tcp), the last 2026-01-02 03:01:00 UTC; weigh 1 now",
      "not listed: too little evidence",
      "weights.jail 1; weights.half_life 1d",
    ],
    [
      "web1: 1 ban by sshd (fail2ban, tcp), the last 2026-01-02 03:00:00 UTC; weigh 1 now",
      "not listed: too little evidence",
      "weights.jail 1; weights.half_life 1d",
    ],
    [
      "weight 2 at the last sighting, 1.99 now, of 1 needed; 2 of 2 agents within 1d",
      "",
      "weights.threshold 1; corroboration.agents 2; corroboration.within 1d",
    ],
    [
      "strike 1 of 2026-01-02 03:01:00 UTC, a rung of 1h: lists until 2026-01-02 04:01:00 UTC",
      "not listed: nothing in force",
      "strikes.forget_after 30d",
    ],
    [
      "the next strike would list for 4h; strikes are forgotten at 2026-02-01 04:01:00 UTC if there is no other",
      "",
      "strikes.ladder 1h, 4h, 1d, 7d, 30d; strikes.forget_after 30d",
    ],
  ]);
});

test("one weight altered alters what is explained, by the same decide that lists", () => {
  const sightings = [seen(1, 0)];
  const lighter: Policy = { ...DEFAULT_POLICY, jailWeights: { sshd: 0.5 } };
  assert.equal(stored(sightings, DEFAULT_POLICY).strikes.length, 1);
  assert.equal(stored(sightings, lighter).strikes.length, 0, "by the lighter one it would not have been listed");
  const texts = explained(stored(sightings, DEFAULT_POLICY), sightings, lighter).map(([text]) => text);
  assert.ok(texts.some((text) => text.endsWith("weigh 0.5 now")));
  assert.ok(
    texts.includes("decided anew by the policy in force, these sightings say: not listed: too little evidence"),
    texts.join("\n"),
  );
});

test("what keeps it off is told first, and what would be without that", () => {
  const pardon = { kind: "pardoned" as const, number: 4, prefix: attacker, until: unixSeconds(start + HOUR) };
  const bans = [{ banNo: 9, until: unixSeconds(0), rank: 0 as never }];
  const known: Evidence = { ...emptyEvidence(attacker), exemptions: [pardon], bans };
  const [first, second] = explained(known, [], DEFAULT_POLICY);
  assert.deepEqual(first?.slice(0, 2), [
    "pardon 4 of 198.50.0.7 until 2026-01-02 04:00:00 UTC",
    "listed until an operator ends it, rank 0",
  ]);
  assert.deepEqual(
    second?.slice(0, 2),
    ["ban 9 by an operator", ""],
    "the pardon keeps it off with or without the ban",
  );
});

test("what lets it through is told with the feeds and the wider listings that would list it without that", () => {
  const pack = { kind: "allowed" as const, number: 7, prefix: attacker, until: unixSeconds(0) };
  const pardon = { kind: "pardoned" as const, number: 4, prefix: attacker, until: unixSeconds(start + HOUR) };
  const also = ["on feeds with 198.50.0.0/24", "by feed drop"];
  const [alone] = explained({ ...emptyEvidence(attacker), exemptions: [pack] }, [], DEFAULT_POLICY, also);
  assert.deepEqual(alone?.slice(0, 2), [
    "never-ban pack crawlers: 198.50.0.7 until the policy no longer chooses it",
    "listed on feeds with 198.50.0.0/24; by feed drop",
  ]);
  const both = explained({ ...emptyEvidence(attacker), exemptions: [pack, pardon] }, [], DEFAULT_POLICY, also);
  assert.deepEqual(
    both.map(([, without]) => without),
    ["not listed: pardoned (198.50.0.7)", ""],
    "the other one lets it through still",
  );
});

test("a widened network is told with how many it rests on, and by which lines", () => {
  const site = parsePrefix("2a0a:0:0:ff00::/56");
  const inside = [1, 2, 3, 4].map((last) => ({
    prefix: parsePrefix(`2a0a:0:0:ff0${last}::/64`),
    until: unixSeconds(start + HOUR),
    agents: [last],
  }));
  assert.deepEqual(explained({ ...emptyEvidence(site), inside }, [], DEFAULT_POLICY), [
    [
      "4 of 4 networks in it are listed, seen by 4 of 2 agents",
      "not listed: nothing in force",
      "ipv6.networks 4; ipv6.agents 2",
    ],
  ]);
});

test("a network that is not widened yet is told with what it lacks", () => {
  const inside = [1, 2].map((last) => ({
    prefix: parsePrefix(`2a0a:0:0:ff0${last}::/64`),
    until: unixSeconds(start + HOUR),
    agents: [1],
  }));
  const [line] = explained({ ...emptyEvidence(parsePrefix("2a0a:0:0:ff00::/56")), inside }, [], DEFAULT_POLICY);
  assert.equal(line?.[0], "2 of 4 networks in it are listed, seen by 1 of 2 agents");
});

test("wherever stored sightings are cut, the newest and the sum of the others come to what stands", () => {
  const told = fc.record({
    agentNo: fc.integer({ min: 1, max: 4 }),
    afterSeconds: fc.integer({ min: 1, max: 40 * HOUR }),
    jail: fc.constantFrom("sshd", "noise"),
  });
  const policy: Policy = { ...DEFAULT_POLICY, corroboration: 2, jailWeights: { sshd: 0.7, noise: 0.3 } };
  fc.assert(
    fc.property(fc.array(told, { minLength: 2, maxLength: 30 }), fc.nat(29), (history, place) => {
      let second = 0;
      const sightings = history.map(({ agentNo, afterSeconds, jail }) => {
        second += afterSeconds;
        return { ...seen(agentNo, second), jail };
      });
      const known = stored(sightings, policy);
      const at = place % sightings.length;
      const [before, newest] = [sightings.slice(0, at), sightings.slice(at)];
      const struckBefore = stored(before, policy).strikes.length;
      const asked = {
        ...{ list: "fleet", known, sightings: newest, older: summedUp(before, policy), alsoListed: [] },
        madeBySightings: new Set(known.strikes.slice(struckBefore).map(({ strikeNo }) => strikeNo)),
        window: { ...window, from: newest[0]?.receivedAt ?? unixSeconds(0) },
      };
      const later = unixSeconds(start + second + 1);
      const lines = explainEvidence(asked, policy, later, names);
      assert.deepEqual(
        lines.filter(({ kind }) => kind === "replay"),
        [],
      );
      const isTold = lines.some(({ text }) => /^and \d+ older bans? by/.test(text));
      assert.equal(isTold, before.length > 0);
    }),
  );
});

function summedUp(sightings: readonly ReceivedSighting[], policy: Policy): OlderSightings[] {
  const groups = Map.groupBy(sightings, ({ agentNo, jail }) => `${agentNo} ${jail}`);
  return [...groups.values()].flatMap((some) => {
    const [first, last] = [some[0], some.at(-1)];
    if (first === undefined || last === undefined) return [];
    const { agentNo, jail, source, protocol } = last;
    const freshWorth = some.reduce((sum, { at }) => sum + 2 ** ((at - last.at) / policy.halfLifeSeconds), 0);
    const ends = { firstAt: first.at, lastAt: last.at };
    return [{ agentNo, jail, source, protocol, sightings: some.length, ...ends, freshWorth }];
  });
}

function explained(
  known: Evidence,
  sightings: readonly ReceivedSighting[],
  policy: Policy,
  alsoListed: readonly string[] = [],
): [string, string, string][] {
  const madeBySightings = new Set(known.strikes.map(({ strikeNo }) => strikeNo));
  const asked = { list: "fleet", known, madeBySightings, sightings, older: [], window, alsoListed };
  const lines = explainEvidence(asked, policy, now, names);
  return lines.map(({ text, without, policy: by }) => [text, without, by.join("; ")]);
}

/** As the ledger would have it, one commit a sighting. */
function stored(sightings: readonly ReceivedSighting[], policy: Policy): Evidence {
  let known = emptyEvidence(attacker);
  for (const one of sightings) {
    const verdict = decide({ ...known, fresh: [one] }, policy, one.receivedAt);
    const change = verdict.kind === "listed" ? verdict.strike : undefined;
    const added = change?.kind === "new" ? [{ ...change, strikeNo: known.strikes.length + 1 }] : [];
    const extended = known.strikes.map((strike) =>
      change?.kind === "extended" && change.strikeNo === strike.strikeNo ? { ...strike, until: change.until } : strike,
    );
    known = { ...known, offender: verdict.offender, strikes: [...extended, ...added] };
  }
  return known;
}

function seen(agentNo: number, second: number): ReceivedSighting {
  const at = unixSeconds(start + second);
  const told = { jail: "sshd", source: "fail2ban", protocol: "tcp", banSeconds: 600, failures: 5 } as const;
  return { agentNo, kind: "ban", ...told, at, receivedAt: at, receivedExactly: at };
}
