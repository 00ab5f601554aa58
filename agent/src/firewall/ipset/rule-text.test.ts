import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reach } from "@fleetban/proto/model/listing";
import type { DenyRule } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import { entryLines, isEnforceable, outLines } from "./rule-text.ts";

const MIDSTREAM = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW";

test("loopback and answers return, except TCP from the middle to a listed address, then one line a rule drops", () => {
  assert.deepEqual(entryLines([ruleFixture], 4, "conntrack"), [
    "-i lo -j RETURN",
    `${MIDSTREAM} -m set --match-set fleetban-a-v4 dst ! --update-counters -m set ! --match-set fleetban-b-v4 dst -j DROP`,
    "-m conntrack --ctdir REPLY -j RETURN",
    "-m set --match-set fleetban-a-v4 src ! --update-counters -m set ! --match-set fleetban-b-v4 src -m set --match-set fleetban-a-v4 src -j DROP",
  ]);
});

test("IPv6 has its own sets, and neighbor discovery returns", () => {
  assert.deepEqual(entryLines([ruleFixture], 6, "conntrack").slice(3), [
    "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN",
    "-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN",
    "-m set --match-set fleetban-a-v6 src ! --update-counters -m set ! --match-set fleetban-b-v6 src -m set --match-set fleetban-a-v6 src -j DROP",
  ]);
});

test("before conntrack nothing is known of connections", () => {
  for (const family of [4, 6] as const) {
    assert.doesNotMatch(entryLines([ruleFixture], family, "raw").join(), /conntrack/);
  }
});

test("what the machine sends from the middle is dropped whatever the verdict, by its own port for a list of ports", () => {
  const ports = (protocol: string): Reach => ({ kind: "ports", protocol, ranges: [{ first: 25, last: 26 }] });
  const rules: DenyRule[] = [{ ...ruleFixture, verdict: "reject" }, reaching(ports("tcp")), reaching(ports("udp"))];
  const sets =
    "-m set --match-set fleetban-a-v6 dst ! --update-counters -m set ! --match-set fleetban-b-v6 dst -j DROP";
  assert.deepEqual(outLines(rules, 6), [
    "-o lo -j RETURN",
    `${MIDSTREAM} ${sets}`,
    `${MIDSTREAM} -m multiport --sports 25:26 ${sets}`,
  ]);
  const forwarded = entryLines(rules, 6, "conntrack").filter((line) => line.startsWith(MIDSTREAM));
  assert.deepEqual(forwarded, [`${MIDSTREAM} ${sets}`]); // an inner host's port isn't the published one
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
    assert.equal(outLines([reaching(reach)], 4).length, 1);
  }
});

function reaching(reach: Reach): DenyRule {
  return { ...ruleFixture, reach };
}
