/**
 * Our chain as text, in iptables' own spelling, so that what is wanted and what is there can be compared.
 *
 * Answers to connections that the machine opened return first, then what comes from a listed source is dropped: new and
 * established connections alike, and packets without one (NOTRACK, invalid), which `--ctdir ORIGINAL` on the drop would
 * let in. Loopback is never looked at (invariant 5), nor is IPv6's neighbor discovery, which no conntrack knows: without
 * it a listed neighbor is gone for the machine's own connections, too.
 */
import type { PortRange, Reach } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule } from "../backend.ts";

export const CHAIN = "fleetban-in";
/** Before routing and before DNAT (ports are the published ones), behind conntrack (-200). */
export const TABLE = "mangle";
export const HOOK = "PREROUTING";

const MAX_PORTS_A_RULE = 15; // of xt_multiport; a range counts as two
const PROTOCOLS_WITH_PORTS: ReadonlySet<string> = new Set(["tcp", "udp", "udplite", "sctp", "dccp"]);

const ALWAYS: Readonly<Record<Family, readonly string[]>> = {
  4: ["-i lo -j RETURN", "-m conntrack --ctdir REPLY -j RETURN"],
  6: [
    "-i lo -j RETURN",
    "-m conntrack --ctdir REPLY -j RETURN",
    "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN", // neighbor solicitation
    "-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN", // neighbor advertisement
  ],
};

/** The lines of our chain. A rule whose reach we can't express is left out: unknown means not enforced. */
export function chainLines(rules: readonly DenyRule[], family: Family): string[] {
  const dropped = rules.flatMap((rule) => ruleLines(rule, family));
  return [...ALWAYS[family], ...dropped].map((match) => `-A ${CHAIN} ${match}`);
}

/**
 * For `iptables-restore --noflush`: chain and jump in one transaction, whatever was there before. `jumps` = how many
 * jumps to our chain there are now.
 */
export function restoreText(lines: readonly string[], jumps: number): string {
  const jump = `${HOOK} -j ${CHAIN}`;
  const removed = Array.from({ length: jumps }, () => `-D ${jump}`);
  const inserted = `-I ${HOOK} 1 -j ${CHAIN}`;
  return transaction([`:${CHAIN} - [0:0]`, ...lines, ...removed, inserted]);
}

/** Takes chain and jumps away. */
export function removalText(jumps: number): string {
  const removed = Array.from({ length: jumps }, () => `-D ${HOOK} -j ${CHAIN}`);
  return transaction([...removed, `-F ${CHAIN}`, `-X ${CHAIN}`]);
}

export function isEnforceable(reach: Reach): boolean {
  if (reach.kind !== "ports") return reach.kind === "all-traffic";
  return PROTOCOLS_WITH_PORTS.has(reach.protocol) && reach.ranges.length > 0 && reach.ranges.every(isPortRange);
}

function ruleLines({ deny, except, reach }: DenyRule, family: Family): string[] {
  if (!isEnforceable(reach)) return [];
  const sources = [
    `-m set --match-set ${deny[family]} src`,
    ...except.map((set) => `-m set ! --match-set ${set[family]} src`),
  ];
  return reachMatches(reach).map((reached) => [...reached, ...sources, "-j DROP"].join(" "));
}

/** One rule for all traffic, or as many as it takes to name the ports. */
function reachMatches(reach: Reach): string[][] {
  if (reach.kind !== "ports") return [[]];
  return portGroups(reach.ranges).map((ports) => [`-p ${reach.protocol} -m multiport --dports ${ports.join(",")}`]);
}

function portGroups(ranges: readonly PortRange[]): string[][] {
  const groups: string[][] = [];
  let room = 0;
  for (const { first, last } of ranges) {
    const takes = first === last ? 1 : 2;
    if (takes > room) {
      groups.push([]);
      room = MAX_PORTS_A_RULE;
    }
    groups.at(-1)?.push(first === last ? `${first}` : `${first}:${last}`);
    room -= takes;
  }
  return groups;
}

function isPortRange({ first, last }: PortRange): boolean {
  return Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= 65_535;
}

function transaction(lines: readonly string[]): string {
  return [`*${TABLE}`, ...lines, "COMMIT", ""].join("\n");
}
