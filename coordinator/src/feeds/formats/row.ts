/** What a format's reader makes of a body, row by row; what becomes of the rows is decided by `gatherEntries`. */
import type { Prefix } from "@fleetban/proto/model/prefix";

export type Row =
  | PrefixRow
  /** A line that should have been an entry. */
  | { readonly kind: "bad"; readonly line: number; readonly text: string; readonly problem: string }
  /** Much was read, and nothing of it is wanted: a moment to give way. */
  | { readonly kind: "passed" }
  /** When the publisher made the list. */
  | { readonly kind: "made"; readonly atMs: number }
  /** How many entries the list says that it has. */
  | { readonly kind: "promised"; readonly entries: number }
  /** This is not the list, whatever else is in it. */
  | { readonly kind: "refused"; readonly reason: string };

export interface PrefixRow {
  readonly kind: "prefixes";
  /** From 1. */
  readonly line: number;
  /** As the list has it. */
  readonly text: string;
  /** Several for a range that is no network. */
  readonly prefixes: readonly Prefix[];
  readonly confidence?: number | undefined;
  /** ISO 3166 alpha-2; absent = not told. */
  readonly country?: string | undefined;
  /** Number of the autonomous system; absent = not told. */
  readonly network?: number | undefined;
}

export type Rows = Generator<Row, void>;
