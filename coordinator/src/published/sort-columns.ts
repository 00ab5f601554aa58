/** Columns in the order of the wire: for the few rows that don't come in it. */
import { blankWords, compareWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { ColumnBuilder } from "./column-builder.ts";

export function sortedRows(columns: ListingColumns): ListingColumns {
  const rows = Array.from({ length: columns.count }, (_, row) => {
    const words = blankWords();
    readPrefix(columns, row, words);
    return { row, words };
  });
  rows.sort((one, other) => compareWords(one.words, other.words));
  const sorted = new ColumnBuilder(columns.family, columns.count);
  for (const { row, words } of rows) sorted.push(words, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
  return sorted.finish();
}
