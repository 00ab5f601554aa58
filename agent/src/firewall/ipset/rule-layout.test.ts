/** The whole of what is made in iptables, by verdict and hook, as text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DenyRule } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import { freshText, removalText, restoreText } from "./restore-text.ts";
import { layoutOf } from "./rule-layout.ts";
import { chainsIn, differenceFrom, readTableState } from "./table-state.ts";

const REJECTING: DenyRule = { ...ruleFixture, verdict: "reject" };

test("dropping takes one chain, in the table of the hook, and one for what is sent where answers return", () => {
  assert.deepEqual(tables([ruleFixture], "conntrack"), ["mangle PREROUTING", "mangle OUTPUT"]);
  assert.deepEqual(tables([ruleFixture], "raw"), ["raw PREROUTING"]);
  assert.deepEqual(tables([], "raw"), ["raw PREROUTING"]);
});

test("rejecting makes what catches marked packets before what marks them", () => {
  const behind = ["security INPUT,FORWARD", "filter INPUT,FORWARD"];
  assert.deepEqual(tables([ruleFixture, REJECTING], "conntrack"), [...behind, "mangle PREROUTING", "mangle OUTPUT"]);
  assert.deepEqual(tables([REJECTING], "raw"), [...behind, "raw PREROUTING", "mangle PREROUTING"]);
});

test("a marked packet is answered in filter; it is dropped behind it should it come that far, or lose its mark", () => {
  const text = freshText([REJECTING], 6, "conntrack");
  assert.equal(
    text.slice(0, text.indexOf("*mangle")),
    [
      "*security",
      ":fleetban-in - [0:0]",
      "-A fleetban-in -m mark --mark 0x66620b05/0xffff0fff -j DROP",
      "-A fleetban-in -i lo -j RETURN",
      "-A fleetban-in -m conntrack --ctdir REPLY -j RETURN",
      "-A fleetban-in -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN",
      "-A fleetban-in -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN",
      "-A fleetban-in -m set --match-set fleetban-a-v6 src ! --update-counters -m set ! --match-set fleetban-b-v6 src -j DROP",
      "-I INPUT 1 -j fleetban-in",
      "-I FORWARD 1 -j fleetban-in",
      "COMMIT",
      "*filter",
      ":fleetban-in - [0:0]",
      "-A fleetban-in -p tcp -m mark --mark 0x66620b05/0xffff0fff -j REJECT --reject-with tcp-reset",
      "-A fleetban-in -m mark --mark 0x66620b05/0xffff0fff -j REJECT --reject-with icmp6-port-unreachable",
      "-I INPUT 1 -j fleetban-in",
      "-I FORWARD 1 -j fleetban-in",
      "COMMIT",
      "",
    ].join("\n"),
  );
});

test("a list for some ports, and one that drops, are not looked up behind filter", () => {
  const port = { first: 22, last: 22 };
  const ported: DenyRule = { ...REJECTING, reach: { kind: "ports", protocol: "tcp", ranges: [port] } };
  const [security] = layoutOf([ported, ruleFixture], 4, "raw");
  assert.deepEqual(security?.lines, ["-m mark --mark 0x66620b05/0xffff0fff -j DROP"]);
});

test("chain and jump are replaced in one transaction, and jumps that aren't ours left", () => {
  const part = { table: "mangle", chain: "fleetban-in", hooks: ["PREROUTING"], lines: ["-i lo -j RETURN"] } as const;
  const jumps = ["PREROUTING", "OUTPUT", "PREROUTING"].map((hook) => ({ hook, place: 1 }));
  assert.equal(
    restoreText([{ part, before: { jumps } }]),
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
  const place = { table: "raw", chain: "fleetban-in" } as const;
  assert.equal(removalText(place, { jumps: [] }), "*raw\n-F fleetban-in\n-X fleetban-in\nCOMMIT\n");
});

test("two chains of a table are one transaction", () => {
  const text = freshText([ruleFixture], 4, "conntrack");
  assert.deepEqual(
    text.split("\n").filter((line) => !line.startsWith("-A")),
    [
      "*mangle",
      ":fleetban-in - [0:0]",
      "-I PREROUTING 1 -j fleetban-in",
      ":fleetban-out - [0:0]",
      "-I OUTPUT 1 -j fleetban-out",
      "COMMIT",
      "",
    ],
  );
});

test("what differs is said, each in its words", () => {
  const [part] = layoutOf([ruleFixture], 4, "conntrack");
  assert.ok(part !== undefined);
  const there = [
    "-P PREROUTING ACCEPT",
    "-N fleetban-in",
    "-A PREROUTING -j fleetban-in",
    "-A PREROUTING -j other",
    "-A OUTPUT -j other",
    ...part.lines.map((line) => `-A fleetban-in ${line}`),
  ];
  const cases: [string, (lines: string[]) => string[], RegExp | undefined][] = [
    ["as wanted", (lines) => lines, undefined],
    ["chain gone", () => ["-P PREROUTING ACCEPT"], /^chain fleetban-in in mangle$/],
    ["jump gone", (lines) => lines.filter((line) => line !== "-A PREROUTING -j fleetban-in"), /^jump from mangle PRE/],
    ["not first", (lines) => ["-A PREROUTING -j other", ...lines], /first rule of mangle PREROUTING/],
    ["twice", (lines) => ["-A PREROUTING -j fleetban-in", ...lines], /first rule of mangle PREROUTING/],
    [
      "a line gone",
      (lines) => lines.filter((line) => !line.endsWith("src -j DROP")),
      /^rule 4 of fleetban-in in mangle/,
    ],
    ["a line changed", (lines) => lines.map((line) => line.replace("DROP", "ACCEPT")), /^rule 2 of fleetban-in/],
    ["a line too many", (lines) => [...lines, "-A fleetban-in -j ACCEPT"], /a rule too many: -j ACCEPT/],
  ];
  for (const [name, change, expected] of cases) {
    const found = differenceFrom(part, readTableState(change(there).join("\n"), "fleetban-in"));
    if (expected === undefined) assert.equal(found, undefined, name);
    else assert.match(found ?? "", expected, name);
  }
});

test("a chain of another hook or verdict is found in what iptables-save prints", () => {
  const section = (table: string, chain: string) =>
    `# by iptables-save\n*${table}\n:INPUT ACCEPT [0:0]\n${chain}COMMIT\n`;
  const ours = ":fleetban-in - [0:0]\n";
  const out = ":fleetban-out - [0:0]\n";
  const saved =
    section("security", ours) +
    section("nat", "") +
    section("mangle", out) +
    section("filter", ":other - [0:0]\n") +
    section("raw", ours);
  assert.deepEqual(
    chainsIn(saved).map(({ table, chain }) => `${table} ${chain}`),
    ["raw fleetban-in", "mangle fleetban-out", "security fleetban-in"],
  );
});

function tables(rules: readonly DenyRule[], hook: "conntrack" | "raw"): string[] {
  return layoutOf(rules, 4, hook).map(({ table, hooks }) => `${table} ${hooks}`);
}
