/**
 * One kernel set as the firewall knows it: what it is for, what it is believed to hold, what was refused.
 *
 * The one mutable record that pump, growth and reconcile share; only they change it, and only between two batches.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Family, Prefix } from "@fleetban/proto/model/prefix";
import type { RefusalCode, SetName } from "./backend.ts";
import type { EntryTable } from "./entry-table.ts";

export type Owner =
  | { readonly kind: "list"; readonly list: ListNo; readonly effect: "deny" | "exempt" }
  /** A list that was taken from this agent: its entries are left to their leases. */
  | { readonly kind: "withdrawn"; readonly list: ListNo; readonly effect: "deny" | "exempt" }
  | { readonly kind: "own" }
  | { readonly kind: "local" }
  | { readonly kind: "probe" };

/** `protected` = the agent itself refuses: a special-purpose range, or outside what the list is confined to. */
export type RefusedBecause = RefusalCode | "protected";

export interface KernelSet {
  readonly name: SetName;
  readonly family: Family;
  owner: Owner;
  maxEntries: number;
  /** False before it is made, and from the moment that it is found gone. */
  isPresent: boolean;
  entries: EntryTable;
  /** The larger set that is being filled to take its place. */
  replacement: SetName | undefined;
  /** While it is read back: what was applied meanwhile, where the reading can't be believed. */
  touched: Set<Prefix> | undefined;
  readonly refused: Map<Prefix, RefusedBecause>;
  /** A batch failed as a whole: what it holds is not known. */
  isSuspect: boolean;
  /** Of the ledger's clock, 0 = never. */
  checkedAtMs: number;
}

/** Exempt before deny wherever something is added (PROTOCOL rule 3). */
export function isExempting({ owner }: KernelSet): boolean {
  return owner.kind === "own" || ((owner.kind === "list" || owner.kind === "withdrawn") && owner.effect === "exempt");
}
