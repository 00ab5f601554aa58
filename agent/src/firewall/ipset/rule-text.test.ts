import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reach } from "@fleetban/proto/model/listing";
import type { DenyRule } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import { entryLines, isEnforceable } from "./rule-text.ts";

test("loopback and answers return, then one line a rule drops", () => {
  assert.deepEqual(entryLines([ruleFixture], 4, "conntrack"), [
    "-i lo -j RETURN",
    "-m conntrack --ctdir REPLY -j RETURN",
    "-m set --match-set fleetban-a-v4 src ! --update-counters -m set ! --match-set fleetban-b-v4 src -m set --match-set fleetban-a-v4 src -j DROP",
  ]);
});

test("IPv6 has its own sets, and neighbor discovery returns", () => {
  assert.deepEqual(entryLines([ruleFixture], 6, "conntrack").slice(2), [
    "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN",
    "-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN",
    "-m set --match-set fleetban-a-v6 src ! --update-counters -m set ! --match-set fleetban-b-v6 src -m set --match-set fleetban-a-v6 src -j DROP",
  ]);
});

test("before conntrack nothing is known of connections", () => {
  for (const family of [4, 6] as const) assert.doesNotMatch(entryLines([ruleFixture], family, "raw").join(), /ctdir/);
});

test("what is to be rejected gets a mark and leaves the chain", () => {
  assert.deepEqual(entryLines([{ ...ruleFixture, verdict: "reject" }, ruleFixture], 4, "raw"), [
    "-i lo -j RETURN",
    "-m set --match-set fleetban-a-v4 src ! --update-counters -m set ! --match-set fleetban-b-v4 src -m set --match-set fleetban-a-v4 src -j MARK --set-xmark 0x66620b05/0xffffffff",
    "-m set --match-set fleetban-a-v4 src ! --update-counters -m set ! --match-set fleetban-b-v4 src -m set --match-set fleetban-a-v4 src -j DROP",
    "-m mark --mark 0x66620b05/0xffff0fff -j ACCEPT",
  ]);
});

test("many ports become as many lines as multiport needs, a range takes two of its 15 places", () => {
  const ranges = Array.from({ length: 9 }, (_, at) => ({ first: 100 * at, last: 100 * at + 9 }));
  const reach: Reach = { kind: "ports", protocol: "tcp", ranges: [{ first: 22, last: 22 }, ...ranges] };
  assert.deepEqual(
    entryLines([reaching(reach)], 4, "raw")
      .slice(1)
      .map((line) => /--dports (\S+)/.exec(line)?.[1]),
    ["22,0:9,100:109,200:209,300:309,400:409,500:509,600:609", "700:709,800:809"],
  );
});

test("a reach that is unknown or can't be expressed is not enforced", () => {
  const port = { first: 22, last: 22 };
  const reaches: Reach[] = [
    { kind: "unknown" },
    { kind: "ports", protocol: "tcp -j ACCEPT", ranges: [port] },
    { kind: "ports", protocol: "icmp", ranges: [port] },
    { kind: "ports", protocol: "tcp", ranges: [] },
    { kind: "ports", protocol: "tcp", ranges: [{ first: 23, last: 22 }] },
    { kind: "ports", protocol: "tcp", ranges: [{ first: 22, last: 65_536 }] },
  ];
  for (const reach of reaches) {
    assert.equal(isEnforceable(reach), false);
    assert.equal(entryLines([{ ...reaching(reach), verdict: "reject" }], 4, "raw").length, 1);
  }
});

function reaching(reach: Reach): DenyRule {
  return { ...ruleFixture, reach };
}
