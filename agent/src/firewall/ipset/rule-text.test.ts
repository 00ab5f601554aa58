import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reach } from "@fleetban/proto/model/listing";
import type { DenyRule } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import { chainLines, isEnforceable, removalText, restoreText } from "./rule-text.ts";
import { differenceFrom, readTableState } from "./table-state.ts";

test("the chain: loopback and answers return, then one line a rule drops", () => {
  assert.deepEqual(chainLines([ruleFixture], 4), [
    "-A fleetban-in -i lo -j RETURN",
    "-A fleetban-in -m conntrack --ctdir REPLY -j RETURN",
    "-A fleetban-in -m set --match-set fleetban-a-v4 src -m set ! --match-set fleetban-b-v4 src -j DROP",
  ]);
});

test("IPv6 has its own sets, and neighbor discovery returns", () => {
  assert.deepEqual(chainLines([ruleFixture], 6).slice(2), [
    "-A fleetban-in -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN",
    "-A fleetban-in -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN",
    "-A fleetban-in -m set --match-set fleetban-a-v6 src -m set ! --match-set fleetban-b-v6 src -j DROP",
  ]);
});

test("many ports become as many lines as multiport needs, a range takes two of its 15 places", () => {
  const ranges = Array.from({ length: 9 }, (_, at) => ({ first: 100 * at, last: 100 * at + 9 }));
  const lines = chainLines(
    [reaching({ kind: "ports", protocol: "tcp", ranges: [{ first: 22, last: 22 }, ...ranges] })],
    4,
  );
  assert.deepEqual(
    lines.slice(2).map((line) => /--dports (\S+)/.exec(line)?.[1]),
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
    assert.equal(chainLines([reaching(reach)], 4).length, 2);
  }
});

test("chain and jump are replaced in one transaction", () => {
  assert.equal(
    restoreText(["-A fleetban-in -i lo -j RETURN"], 2),
    [
      "*mangle",
      ":fleetban-in - [0:0]",
      "-A fleetban-in -i lo -j RETURN",
      "-D PREROUTING -j fleetban-in",
      "-D PREROUTING -j fleetban-in",
      "-I PREROUTING 1 -j fleetban-in",
      "COMMIT",
      "",
    ].join("\n"),
  );
  assert.equal(removalText(0), "*mangle\n-F fleetban-in\n-X fleetban-in\nCOMMIT\n");
});

test("what differs is said, each in its words", () => {
  const wanted = chainLines([ruleFixture], 4);
  const there = [
    "-P PREROUTING ACCEPT",
    "-N fleetban-in",
    "-A PREROUTING -j fleetban-in",
    "-A PREROUTING -j other",
    ...wanted,
  ];
  const cases: [string, (lines: string[]) => string[], RegExp | undefined][] = [
    ["as wanted", (lines) => lines, undefined],
    ["chain gone", () => ["-P PREROUTING ACCEPT"], /^chain fleetban-in$/],
    ["jump gone", (lines) => lines.filter((line) => line !== "-A PREROUTING -j fleetban-in"), /^jump from PREROUTING/],
    ["not first", (lines) => ["-A PREROUTING -j other", ...lines], /first rule of PREROUTING/],
    ["twice", (lines) => ["-A PREROUTING -j fleetban-in", ...lines], /first rule of PREROUTING/],
    ["a line gone", (lines) => lines.filter((line) => !line.includes("DROP")), /^rule 3 of fleetban-in/],
    ["a line changed", (lines) => lines.map((line) => line.replace("DROP", "ACCEPT")), /^rule 3 of fleetban-in/],
    ["a line too many", (lines) => [...lines, "-A fleetban-in -j ACCEPT"], /a rule too many/],
  ];
  for (const [name, change, expected] of cases) {
    const found = differenceFrom(wanted, readTableState(change(there).join("\n")));
    if (expected === undefined) assert.equal(found, undefined, name);
    else assert.match(found ?? "", expected, name);
  }
});

function reaching(reach: Reach): DenyRule {
  return { ...ruleFixture, reach };
}
