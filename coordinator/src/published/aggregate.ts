/**
 * The fewest networks that cover the same addresses: what lies in another goes, two halves become one.
 *
 * A network made of several has the best rank among them and the soonest end: until then all of it is listed.
 */
import type { Slices } from "@fleetban/kit/slices";
import { agree, blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded } from "@fleetban/proto/model/until";
import { ColumnBuilder } from "./column-builder.ts";

const SLICE_ROWS = 1_024;

/** Sorted columns of one family; the result is sorted and disjoint. */
export function* aggregate(columns: ListingColumns): Slices<ListingColumns> {
  const built = new ColumnBuilder(columns.family, columns.count);
  const words = blankWords();
  const last = blankWords();
  for (let row = 0; row < columns.count; row += 1) {
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
    readPrefix(columns, row, words);
    if (built.count > 0) {
      readPrefix(built.peek(), built.count - 1, last);
      if (agree(last, words, last.length)) continue; // what is wider comes first
    }
    built.push(words, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
    joinHalves(built);
  }
  return built.finish();
}

const high = blankWords();
const low = blankWords();

function joinHalves(built: ColumnBuilder): void {
  while (built.count > 1) {
    const columns = built.peek();
    const [upper, lower] = [built.count - 1, built.count - 2];
    readPrefix(columns, upper, high);
    readPrefix(columns, lower, low);
    if (!areHalves(low, high)) return;
    const rank = Math.min(columns.ranks[lower] ?? 0, columns.ranks[upper] ?? 0);
    const until = sooner((columns.untils[lower] ?? 0) as UnixSeconds, (columns.untils[upper] ?? 0) as UnixSeconds);
    built.takeBack();
    built.takeBack();
    built.push({ ...low, length: low.length - 1 }, rank, until);
  }
}

/** They differ in their last bit only; the lower one has it 0. */
function areHalves(one: PrefixWords, other: PrefixWords): boolean {
  return one.length === other.length && one.length > 0 && agree(one, other, one.length - 1);
}

function sooner(one: UnixSeconds, other: UnixSeconds): UnixSeconds {
  if (isOpenEnded(one)) return other;
  return isOpenEnded(other) || one < other ? one : other;
}
