/**
 * Where in iptables our chain stands, by verdict and hook: as a list of parts, a chain of ours in one table each.
 *
 * Listed packets are recognized at one place, before routing and DNAT. Dropping happens there. REJECT is refused there by
 * the kernel, so a packet to be rejected gets a mark, leaves the rest of that table out (nobody overwrites the mark), and
 * is answered at the head of filter's INPUT or FORWARD. Behind both stands security, which drops whatever still bears the
 * mark, and looks at the source of everything else once more: whatever others make of filter or of the mark, answers end and
 * nothing comes in (invariant 4).
 *
 * Where answers return, a second chain looks at what the machine sends: see `rule-text.ts`.
 */
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule } from "../backend.ts";
import { type EntryHook, entryLines, IS_MARKED, outLines, unmarkedLines } from "./rule-text.ts";

export type Table = "raw" | "mangle" | "filter" | "security";
export type BuiltIn = "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT";
export type OurChain = "fleetban-in" | "fleetban-out";

/** A chain of ours in one table, and the built-in chains whose first rule jumps to it. */
export interface ChainPart {
  readonly table: Table;
  readonly chain: OurChain;
  readonly hooks: readonly BuiltIn[];
  /** Without the `-A CHAIN` before them. */
  readonly lines: readonly string[];
}

export const CHAINS: readonly OurChain[] = ["fleetban-in", "fleetban-out"];
/** In the order in which packets meet them: taking our chains away in this order lets no mark loose. */
export const TABLES: readonly Table[] = ["raw", "mangle", "filter", "security"];

const ENTRY_TABLE: Readonly<Record<EntryHook, Table>> = {
  conntrack: "mangle", // -150: behind conntrack (-200), before DNAT (-100)
  raw: "raw", // -300
};
const UNREACHABLE: Readonly<Record<Family, string>> = { 4: "icmp-port-unreachable", 6: "icmp6-port-unreachable" };

/** In the order in which they are to be made: what catches marked packets before what marks them. */
export function layoutOf(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly ChainPart[] {
  const entry: ChainPart = {
    table: ENTRY_TABLE[hook],
    chain: "fleetban-in",
    hooks: ["PREROUTING"],
    lines: entryLines(rules, family, hook),
  };
  const out: readonly ChainPart[] =
    hook === "raw"
      ? []
      : [{ table: ENTRY_TABLE[hook], chain: "fleetban-out", hooks: ["OUTPUT"], lines: outLines(rules, family) }];
  if (!rules.some(({ verdict }) => verdict === "reject")) return [entry, ...out];
  const caught = [`${IS_MARKED} -j DROP`, ...unmarkedLines(rules, family, hook)];
  const behind: readonly ChainPart[] = [
    { table: "security", chain: "fleetban-in", hooks: ["INPUT", "FORWARD"], lines: caught },
    {
      table: "filter",
      chain: "fleetban-in",
      hooks: ["INPUT", "FORWARD"],
      lines: [
        `-p tcp ${IS_MARKED} -j REJECT --reject-with tcp-reset`,
        `${IS_MARKED} -j REJECT --reject-with ${UNREACHABLE[family]}`,
      ],
    },
  ];
  // Marked in raw, it has still to pass the rules of others in mangle. Last: there may be the entry of another hook yet.
  const between: readonly ChainPart[] =
    hook === "raw"
      ? [{ table: "mangle", chain: "fleetban-in", hooks: ["PREROUTING"], lines: [`${IS_MARKED} -j ACCEPT`] }]
      : [];
  return [...behind, entry, ...out, ...between];
}
