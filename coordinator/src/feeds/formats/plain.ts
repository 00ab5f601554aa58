/**
 * An address, network or range a line; comments and what follows the first word are passed over.
 *
 * `netset` is the same with FireHOL's head, which says how many lines and how old: lists of theirs have stood still for
 * months, and broken off.
 */
import { linesOf, withoutComment } from "./lines.ts";
import { entryRow } from "./prefix-text.ts";
import type { Rows } from "./row.ts";

const SPACED_RANGE = /^(\S+)\s+-\s+(\S+)/;

export function* plainRows(text: string): Rows {
  for (const { line, text: whole } of linesOf(text)) {
    const bare = withoutComment(whole);
    if (bare === "") continue;
    const [, first, last] = SPACED_RANGE.exec(bare) ?? [];
    const entry = first === undefined ? (bare.split(/[\s,]/, 1)[0] ?? "") : `${first}-${last}`;
    yield entryRow(line, entry);
  }
}

export function* netsetRows(text: string): Rows {
  for (const { text: whole } of linesOf(text)) {
    if (!whole.startsWith("#")) break;
    const [, entries] = /^#\s*Entries\s*:\s*(\d{1,9})\b/i.exec(whole) ?? [];
    if (entries !== undefined) yield { kind: "promised", entries: Number(entries) };
    const [, made] = /^#\s*This File Date\s*:\s*(.{1,60})$/i.exec(whole) ?? [];
    const atMs = Date.parse(made ?? "");
    if (!Number.isNaN(atMs)) yield { kind: "made", atMs };
  }
  yield* plainRows(text);
}
