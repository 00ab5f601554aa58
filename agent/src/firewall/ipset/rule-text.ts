/**
 * The lines by which listed packets are recognized, in iptables' own spelling, so that what is wanted and what is there
 * can be compared.
 *
 * Answers to connections that the machine opened return first, then what comes from a listed source meets its verdict: new
 * and established connections alike, and packets without one (NOTRACK, invalid), which `--ctdir ORIGINAL` on the verdict
 * would let in. In the raw hook there is no connection yet: those answers are lost. Loopback is never looked at (invariant
 * 5), nor is IPv6's neighbor discovery, which no conntrack knows: without it a listed neighbor is gone for the machine's
 * own connections, too.
 *
 * Who is an answerer is conntrack's word, and conntrack forgets: a listed peer ends the entry of an established connection by
 * a reset that our socket never sees, and our next retransmission, picked up in the middle, makes us the one who opened it.
 * So TCP from the middle towards a listed address is dropped before conntrack believes it.
 */
import type { PortRange, Reach } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, SetName, Verdict } from "../backend.ts";

/** conntrack = behind it, in mangle PREROUTING; raw = before it. */
export type EntryHook = "conntrack" | "raw";

/**
 * What a packet to be rejected bears. The whole mark is set, so that no other bit of it means anything to anybody, and
 * compared without the four bits that Kubernetes and CNI plugins add to marks in nat (0x2000, 0x4000, 0x8000).
 */
const MARK = 0x66620b05;
const MARK_MASK = 0xffff0fff;
export const IS_MARKED = `-m mark --mark ${hex(MARK)}/${hex(MARK_MASK)}`;

const TARGET: Readonly<Record<Verdict, string>> = {
  drop: "-j DROP",
  reject: `-j MARK --set-xmark ${hex(MARK)}/0xffffffff`,
};

const MAX_PORTS_A_RULE = 15; // of xt_multiport; a range counts as two
const PROTOCOLS_WITH_PORTS: ReadonlySet<string> = new Set(["tcp", "udp", "udplite", "sctp", "dccp"]);

const BY_HOOK: Readonly<Record<EntryHook, readonly string[]>> = {
  conntrack: ["-i lo -j RETURN", "-m conntrack --ctdir REPLY -j RETURN"],
  raw: ["-i lo -j RETURN"],
};
/** TCP that opens nothing, of a connection that conntrack doesn't know. Before all lookups: few packets get that far. */
const MIDSTREAM = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW";
const BY_FAMILY: Readonly<Record<Family, readonly string[]>> = {
  4: [],
  6: [
    "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN", // neighbor solicitation
    "-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j RETURN", // neighbor advertisement
  ],
};

/** A rule whose reach we can't express is left out: unknown means not enforced. */
export function entryLines(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly string[] {
  const enforced = rules.filter(({ reach }) => isEnforceable(reach));
  const judged = enforced.flatMap((rule) => ruleLines(rule, family));
  const marked = enforced.some(({ verdict }) => verdict === "reject") ? [`${IS_MARKED} -j ACCEPT`] : [];
  const [loopback = "", ...answers] = BY_HOOK[hook];
  return [loopback, ...forwardedLines(enforced, family, hook), ...answers, ...BY_FAMILY[family], ...judged, ...marked];
}

/** Our chain for what this machine sends; nothing where no answers return. */
export function outLines(rules: readonly DenyRule[], family: Family): readonly string[] {
  const cuts = rules.filter(({ reach }) => isEnforceable(reach)).flatMap((rule) => cutLines(rule, family));
  return ["-o lo -j RETURN", ...cuts];
}

/** What an inner host sends. Its port isn't the published one: lists for some ports don't apply. */
function forwardedLines(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly string[] {
  if (hook === "raw") return [];
  return rules.filter(({ reach }) => reach.kind === "all-traffic").flatMap((rule) => cutLines(rule, family));
}

function cutLines({ deny, except, reach }: DenyRule, family: Family): readonly string[] {
  if (reach.kind === "ports" && reach.protocol !== "tcp") return [];
  const ports =
    reach.kind === "ports"
      ? portGroups(reach.ranges).map((group) => [`-m multiport --sports ${group.join(",")}`])
      : [[]];
  return ports.map((port) =>
    [MIDSTREAM, ...port, ...lookups(deny[family], except, family, "dst"), TARGET.drop].join(" "),
  );
}

/**
 * What was to be rejected and has lost its mark to a rule of somebody else: dropped behind all others' rules by another look
 * at its source, uncounted, as it was counted when it got the mark. Lists for some ports rest on the mark alone: by then the
 * port may be another (DNAT).
 */
export function unmarkedLines(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly string[] {
  const rejected = rules.filter(({ verdict, reach }) => verdict === "reject" && reach.kind === "all-traffic");
  const drops = rejected.map(({ deny, except }) => [...lookups(deny[family], except, family), TARGET.drop].join(" "));
  return drops.length === 0 ? [] : [...BY_HOOK[hook], ...BY_FAMILY[family], ...drops];
}

export function isEnforceable(reach: Reach): boolean {
  if (reach.kind !== "ports") return reach.kind === "all-traffic";
  return PROTOCOLS_WITH_PORTS.has(reach.protocol) && reach.ranges.length > 0 && reach.ranges.every(isPortRange);
}

function ruleLines({ deny, except, reach, verdict }: DenyRule, family: Family): string[] {
  // Looked up twice by a listed source only: the second counts, once it is known that nothing exempts it.
  const sources = [...lookups(deny[family], except, family), `-m set --match-set ${deny[family]} src`];
  return reachMatches(reach).map((reached) => [...reached, ...sources, TARGET[verdict]].join(" "));
}

/** In the deny set and in none of those, uncounted. */
function lookups(
  deny: SetName,
  except: DenyRule["except"],
  family: Family,
  side: "src" | "dst" = "src",
): readonly string[] {
  return [
    `-m set --match-set ${deny} ${side} ! --update-counters`,
    ...except.map((set) => `-m set ! --match-set ${set[family]} ${side}`),
  ];
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

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
