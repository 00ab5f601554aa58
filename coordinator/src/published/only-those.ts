/** The rows of sorted columns whose prefixes stand in other sorted columns. */
import type { Slices } from "@fleetban/kit/slices";
import { blankWords, compareWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, type PrefixColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { ColumnBuilder } from "./column-builder.ts";

const SLICE_ROWS = 1_024;

export function* onlyThose(columns: ListingColumns, wanted: PrefixColumns): Slices<ListingColumns> {
  const kept = new ColumnBuilder(columns.family, Math.min(columns.count, wanted.count));
  const words = blankWords();
  const sought = blankWords();
  let at = 0;
  for (let row = 0; row < columns.count; row += 1) {
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
    readPrefix(columns, row, words);
    let order = -1;
    while (at < wanted.count) {
      readPrefix(wanted, at, sought);
      order = compareWords(sought, words);
      if (order >= 0) break;
      at += 1;
    }
    if (at === wanted.count) break;
    if (order === 0) kept.push(words, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
  }
  return kept.finish();
}
