/**
 * Several sorted columns of one family as one: each prefix once, with its best rank and its latest end. What has expired
 * is left out.
 */
import type { Slices } from "@fleetban/kit/slices";
import { blankWords, compareWords, type Family, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired, laterUntil } from "@fleetban/proto/model/until";
import { ColumnBuilder } from "./column-builder.ts";

/** A place in one of the columns, and the prefix that stands there. */
interface Cursor {
  readonly columns: ListingColumns;
  readonly words: PrefixWords;
  row: number;
}

const SLICE_ROWS = 1_024;

export function* mergeLists(
  family: Family,
  sorted: readonly ListingColumns[],
  now: UnixSeconds,
): Slices<ListingColumns> {
  const cursors = sorted.map((columns) => ({ columns, words: blankWords(), row: -1 }));
  const open = cursors.filter((cursor) => advance(cursor, now));
  const merged = new ColumnBuilder(
    family,
    sorted.reduce((sum, { count }) => sum + count, 0),
  );
  const words = blankWords();
  for (let rows = 1; ; rows += 1) {
    const first = lowest(open);
    if (first === undefined) return merged.finish();
    Object.assign(words, first.words);
    let [rank, until] = [255, undefined as UnixSeconds | undefined];
    for (let at = open.length - 1; at >= 0; at -= 1) {
      const cursor = open[at] as Cursor;
      if (compareWords(cursor.words, words) !== 0) continue;
      const own = (cursor.columns.untils[cursor.row] ?? 0) as UnixSeconds;
      rank = Math.min(rank, cursor.columns.ranks[cursor.row] ?? 0);
      until = until === undefined ? own : laterUntil(until, own);
      if (!advance(cursor, now)) open.splice(at, 1);
    }
    merged.push(words, rank, until ?? 0);
    if (rows % SLICE_ROWS === 0) yield;
  }
}

function lowest(open: readonly Cursor[]): Cursor | undefined {
  let [found] = open;
  for (const cursor of open) if (found !== undefined && compareWords(cursor.words, found.words) < 0) found = cursor;
  return found;
}

/** To the next row in force; false = there is none. */
function advance(cursor: Cursor, now: UnixSeconds): boolean {
  const { columns } = cursor;
  do cursor.row += 1;
  while (cursor.row < columns.count && isExpired((columns.untils[cursor.row] ?? 0) as UnixSeconds, now));
  if (cursor.row >= columns.count) return false;
  readPrefix(columns, cursor.row, cursor.words);
  return true;
}
