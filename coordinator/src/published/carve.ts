/**
 * Takes holes out of listings: what a firewall that knows no exempt list has to be given (PROTOCOL, rule 2). Only here is
 * a listing ever carved, and only what is published.
 *
 * A listing inside a hole goes; one with holes inside becomes the networks around them, each with its rank and end. A
 * listing that would become too many is left out whole: nobody is locked out, and it is counted.
 */
import type { Slices } from "@fleetban/kit/slices";
import { agree, blankWords, compareWords, maxLength, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { ColumnBuilder } from "./column-builder.ts";
import { mergeLists } from "./merge-lists.ts";
import { sortedRows } from "./sort-columns.ts";

export interface Carved {
  readonly columns: ListingColumns;
  /** Listings that were left out because they would have become too many. */
  readonly leftOut: number;
}

/** All pieces of one edition and family. */
const PIECES_MAX = 262_144;
const SLICE_ROWS = 1_024;
const NEVER = 0 as UnixSeconds; // nothing has expired by then

/** Both sorted, of one family; holes may lie in each other. */
export function* carve(listings: ListingColumns, holes: ListingColumns): Slices<Carved> {
  const outer = outermost(holes);
  if (outer.length === 0) return { columns: listings, leftOut: 0 };
  const whole = new ColumnBuilder(listings.family, listings.count);
  const pieces = new ColumnBuilder(listings.family);
  const words = blankWords();
  let [hole, leftOut] = [0, 0];
  for (let row = 0; row < listings.count; row += 1) {
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
    readPrefix(listings, row, words);
    const [rank, until] = [listings.ranks[row] ?? 0, listings.untils[row] ?? 0];
    while (hole < outer.length && liesBefore(outer[hole] as PrefixWords, words)) hole += 1;
    const first = outer[hole];
    if (first === undefined || !touches(first, words)) {
      whole.push(words, rank, until);
      continue;
    }
    if (first.length <= words.length) continue; // it lies in the hole
    const inside = insideOf(words, outer, hole);
    const before = pieces.count;
    const take = (piece: PrefixWords) => {
      pieces.push(piece, rank, until);
      return pieces.count <= PIECES_MAX;
    };
    if (!cut(words, inside, take)) {
      while (pieces.count > before) pieces.takeBack();
      leftOut += 1;
    }
  }
  if (pieces.count === 0) return { columns: whole.finish(), leftOut };
  const parts = [whole.finish(), sortedRows(pieces.finish())];
  return { columns: yield* mergeLists(listings.family, parts, NEVER), leftOut };
}

/** Without those that lie in another. */
function outermost(holes: ListingColumns): PrefixWords[] {
  const kept: PrefixWords[] = [];
  for (let row = 0; row < holes.count; row += 1) {
    const words = blankWords();
    readPrefix(holes, row, words);
    const last = kept.at(-1);
    if (last === undefined || !agree(last, words, last.length)) kept.push(words);
  }
  return kept;
}

/** Its last address comes before the first of the other. */
function liesBefore(hole: PrefixWords, words: PrefixWords): boolean {
  return compareWords(hole, words) < 0 && !agree(hole, words, Math.min(hole.length, words.length));
}

function touches(one: PrefixWords, other: PrefixWords): boolean {
  return agree(one, other, Math.min(one.length, other.length));
}

function insideOf(words: PrefixWords, outer: readonly PrefixWords[], from: number): PrefixWords[] {
  let to = from;
  while (to < outer.length && agree(words, outer[to] as PrefixWords, words.length)) to += 1;
  return outer.slice(from, to);
}

/** The networks of `words` that no hole touches, in order. False = `take` wants no more. */
function cut(words: PrefixWords, holes: readonly PrefixWords[], take: (piece: PrefixWords) => boolean): boolean {
  const [first] = holes;
  if (first === undefined) return take(words);
  if (first.length <= words.length) return true; // the hole itself
  const [low, high] = halvesOf(words);
  const isLow = (hole: PrefixWords) => agree(hole, low, low.length);
  const split = holes.findIndex((hole) => !isLow(hole));
  const at = split < 0 ? holes.length : split;
  return cut(low, holes.slice(0, at), take) && cut(high, holes.slice(at), take);
}

export function halvesOf(words: Readonly<PrefixWords>): [PrefixWords, PrefixWords] {
  if (words.length >= maxLength(words.family)) throw new Error("internal error: one address has no halves");
  const length = words.length + 1;
  const low = { ...words, length };
  const high = { ...words, length };
  const bit = (1 << (31 - (words.length % 32))) >>> 0;
  const word = (["a", "b", "c", "d"] as const)[Math.floor(words.length / 32)] ?? "a";
  high[word] = (high[word] | bit) >>> 0;
  return [low, high];
}
