/** Our chains as input of `iptables-restore --noflush`: one transaction a table, whatever is there before. */

import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule } from "../backend.ts";
import { type ChainPart, layoutOf, type Table } from "./rule-layout.ts";
import type { EntryHook } from "./rule-text.ts";
import { CHAIN, type TableState } from "./table-state.ts";

/** A part, and what its table holds of ours now. */
export interface Replacement {
  readonly part: ChainPart;
  readonly before: Pick<TableState, "jumps">;
}

/** Chain and jumps of each, in their order. */
export function restoreText(replacements: readonly Replacement[]): string {
  return replacements.map(({ part, before }) => transaction(part.table, replacementLines(part, before))).join("");
}

/** On a machine that has none of it, as after a boot. */
export function freshText(rules: readonly DenyRule[], family: Family, hook: EntryHook): string {
  return restoreText(layoutOf(rules, family, hook).map((part) => ({ part, before: { jumps: [] } })));
}

/** Takes chain and jumps away. */
export function removalText(table: Table, { jumps }: Pick<TableState, "jumps">): string {
  return transaction(table, [...removedJumps(jumps), `-F ${CHAIN}`, `-X ${CHAIN}`]);
}

function replacementLines({ hooks, lines }: ChainPart, { jumps }: Pick<TableState, "jumps">): string[] {
  const chain = [`:${CHAIN} - [0:0]`, ...lines.map((line) => `-A ${CHAIN} ${line}`)];
  const ours = jumps.filter(({ hook }) => hooks.some((one) => one === hook));
  return [...chain, ...removedJumps(ours), ...hooks.map((hook) => `-I ${hook} 1 -j ${CHAIN}`)];
}

function removedJumps(jumps: TableState["jumps"]): string[] {
  return jumps.map(({ hook }) => `-D ${hook} -j ${CHAIN}`);
}

function transaction(table: Table, lines: readonly string[]): string {
  return [`*${table}`, ...lines, "COMMIT", ""].join("\n");
}
