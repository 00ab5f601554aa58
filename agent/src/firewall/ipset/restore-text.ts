/** Our chains as input of `iptables-restore --noflush`: one transaction a table, whatever is there before. */

import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule } from "../backend.ts";
import { type ChainPart, layoutOf, type OurChain, type Table } from "./rule-layout.ts";
import type { EntryHook } from "./rule-text.ts";
import type { ChainPlace, TableState } from "./table-state.ts";

/** A part, and what its table holds of ours now. */
export interface Replacement {
  readonly part: ChainPart;
  readonly before: Pick<TableState, "jumps">;
}

/** Chain and jumps of each, in their order. */
export function restoreText(replacements: readonly Replacement[]): string {
  const byTable = new Map<Table, string[]>();
  for (const { part, before } of replacements) {
    byTable.set(part.table, [...(byTable.get(part.table) ?? []), ...replacementLines(part, before)]);
  }
  return Array.from(byTable, ([table, lines]) => transaction(table, lines)).join("");
}

/** On a machine that has none of it, as after a boot. */
export function freshText(rules: readonly DenyRule[], family: Family, hook: EntryHook): string {
  return restoreText(layoutOf(rules, family, hook).map((part) => ({ part, before: { jumps: [] } })));
}

/** Takes chain and jumps away. */
export function removalText({ table, chain }: ChainPlace, { jumps }: Pick<TableState, "jumps">): string {
  return transaction(table, [...removedJumps(chain, jumps), `-F ${chain}`, `-X ${chain}`]);
}

function replacementLines({ chain, hooks, lines }: ChainPart, { jumps }: Pick<TableState, "jumps">): string[] {
  const filled = [`:${chain} - [0:0]`, ...lines.map((line) => `-A ${chain} ${line}`)];
  const ours = jumps.filter(({ hook }) => hooks.some((one) => one === hook));
  return [...filled, ...removedJumps(chain, ours), ...hooks.map((hook) => `-I ${hook} 1 -j ${chain}`)];
}

function removedJumps(chain: OurChain, jumps: TableState["jumps"]): string[] {
  return jumps.map(({ hook }) => `-D ${hook} -j ${chain}`);
}

function transaction(table: Table, lines: readonly string[]): string {
  return [`*${table}`, ...lines, "COMMIT", ""].join("\n");
}
