/** Rows of an edition by prefix: those around an address or a network, and those inside it. */
import {
  agree,
  blankWords,
  compareWords,
  maxLength,
  type PrefixWords,
  widenedWords,
} from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";

/** Equal to the prefix or around it, the widest first. */
export function rowsAround(columns: ListingColumns, prefix: Readonly<PrefixWords>): number[] {
  const rows: number[] = [];
  for (let length = 0; length <= Math.min(prefix.length, maxLength(prefix.family)); length += 1) {
    const wider = widenedWords(prefix, length);
    const row = lowerBound(columns, wider);
    if (row < columns.count && compareAt(columns, row, wider) === 0) rows.push(row);
  }
  return rows;
}

/** Equal to the prefix or inside it. */
export function* rowsInside(columns: ListingColumns, prefix: Readonly<PrefixWords>): Generator<number> {
  const words = blankWords();
  for (let row = lowerBound(columns, prefix); row < columns.count; row += 1) {
    readPrefix(columns, row, words);
    if (!agree(prefix, words, prefix.length)) return;
    if (words.length >= prefix.length) yield row;
  }
}

/** Of the first row that does not come before. */
export function lowerBound(columns: ListingColumns, prefix: Readonly<PrefixWords>): number {
  let [low, high] = [0, columns.count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareAt(columns, middle, prefix) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const found = blankWords();

function compareAt(columns: ListingColumns, row: number, prefix: Readonly<PrefixWords>): number {
  readPrefix(columns, row, found);
  return compareWords(found, prefix);
}
