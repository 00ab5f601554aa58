/**
 * Rules and sets as text for the `nft` program, for the boot load: it runs without our runtime. `boot.kernel.test.ts` sees
 * that the kernel then holds the same as when we write it ourselves.
 */
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetSpec } from "../backend.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import { maskBytes } from "./expressions.ts";
import { basePlaces, bundleChains, ruleChains } from "./layout.ts";
import { chainsOf, TABLE_NAME } from "./names.ts";
import { ADDRESS_BITS, type Rule, type Statement } from "./statement.ts";

const FAMILY_WORD: Readonly<Record<Family, string>> = { 4: "ip", 6: "ip6" };
const TYPE_WORD: Readonly<Record<Family, string>> = { 4: "ipv4_addr", 6: "ipv6_addr" };
const UNREACHABLE: Readonly<Record<Family, string>> = {
  4: "reject with icmp type port-unreachable",
  6: "reject with icmpv6 type port-unreachable",
};

/** A bundle that holds nothing yet, with its chains. */
export function bundleText({ name, family, maxEntries }: SetSpec): readonly string[] {
  const set = `add set ${place(family, name)} { type ${TYPE_WORD[family]}; size ${maxEntries}; flags timeout; counter; }`;
  const chains = chainsOf(name).map((chain) => `add chain ${place(family, chain)}`);
  const lookups = [...bundleChains({ name, family, stem: name, lengths: [] })];
  return [
    `add table ${FAMILY_WORD[family]} ${TABLE_NAME}`,
    ...[set, ...chains],
    ...lookups.flatMap(([chain, rules]) => ruleLines(family, chain, rules)),
  ];
}

/** On a machine that has the bundles and nothing else, as after a boot. */
export function rulesText(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly string[] {
  const bases = Array.from(basePlaces(hook), ([chain, { hook: at, priority }]) => {
    return `add chain ${place(family, chain)} { type filter hook ${at} priority ${priority}; policy accept; }`;
  });
  const chains = [...ruleChains(rules, family, hook)];
  return [...bases, ...chains.flatMap(([chain, ruled]) => ruleLines(family, chain, ruled))];
}

function ruleLines(family: Family, chain: string, rules: readonly Rule[]): readonly string[] {
  return rules.map((rule) => `add rule ${place(family, chain)} ${rule.map(statementText).join(" ")}`);
}

function place(family: Family, name: string): string {
  return `${FAMILY_WORD[family]} ${TABLE_NAME} ${name}`;
}

function statementText(statement: Statement): string {
  switch (statement.kind) {
    case "loopback":
      return statement.side === "in" ? "iif lo" : "oif lo";
    case "reply":
      return "ct direction reply";
    case "icmpv6":
      return `icmpv6 type ${statement.type}`;
    case "ports":
      return `th ${statement.side === "source" ? "sport" : "dport"} ${portsText(statement)}`;
    case "midstream":
      return "tcp flags & (fin | syn | rst | ack) != syn ct state new";
    case "protocol":
      return `meta l4proto ${statement.protocol}`;
    case "address":
      return addressText(statement);
    case "count":
      return "counter";
    case "verdict":
      return statement.verdict;
    case "reset":
      return "reject with tcp reset";
    case "unreachable":
      return UNREACHABLE[statement.family];
    case "jump":
    case "goto":
      return `${statement.kind} ${statement.chain}`;
  }
}

function portsText({ first, last }: Extract<Statement, { kind: "ports" }>): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

function addressText({ side, family, length, set }: Extract<Statement, { kind: "address" }>): string {
  const bits = ADDRESS_BITS[family];
  const address = `${FAMILY_WORD[family]} ${side === "source" ? "saddr" : "daddr"}`;
  return length === bits ? `${address} @${set}` : `${address} & ${maskText(family, length)} @${set}`;
}

function maskText(family: Family, length: number): string {
  const bytes = maskBytes(ADDRESS_BITS[family] / 8, length);
  if (family === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0));
  return groups.map((group) => group.toString(16)).join(":");
}
