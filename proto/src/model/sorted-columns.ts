/**
 * Listings as sorted columns: the form in which they travel, are stored and are hashed.
 *
 * One set of columns a family, IPv4 first; rows sorted by address, then length, without duplicates. Row `n` has its
 * address at `words[n]` (IPv4) or `words[4 n]` to `words[4 n + 3]` (IPv6, most significant first).
 */
import type { Listing, Rank } from "./listing.ts";
import { type Prefix, type PrefixParts, partsOf } from "./prefix.ts";
import { textOfWords } from "./prefix-text.ts";
import { blankWords, compareWords, type Family, type PrefixWords } from "./prefix-words.ts";
import type { UnixSeconds } from "./time.ts";

/** Prefixes alone, as a delta's removals. */
export interface PrefixColumns {
  readonly family: Family;
  readonly count: number;
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
}

export interface ListingColumns extends PrefixColumns {
  readonly ranks: Uint8Array;
  readonly untils: Uint32Array;
  /** When pardons began; absent = all 0. */
  readonly begun: Uint32Array | undefined;
}

export const FAMILIES: readonly Family[] = [4, 6];

/** Words that an address of the family takes. */
export function wordsOf(family: Family): number {
  return family === 4 ? 1 : 4;
}

export function emptyPrefixColumns(family: Family, count: number): PrefixColumns {
  return { family, count, words: new Uint32Array(count * wordsOf(family)), lengths: new Uint8Array(count) };
}

export function emptyListingColumns(family: Family, count: number, hasBegun: boolean): ListingColumns {
  return {
    ...emptyPrefixColumns(family, count),
    ranks: new Uint8Array(count),
    untils: new Uint32Array(count),
    begun: hasBegun ? new Uint32Array(count) : undefined,
  };
}

/** Prefixes in any order, once each. */
export function prefixColumns(prefixes: Iterable<Prefix>): PrefixColumns[] {
  const sorted = sortedRows(prefixes, (prefix) => prefix);
  return FAMILIES.map((family) => {
    const rows = sorted.filter(({ words }) => words.family === family);
    const columns = emptyPrefixColumns(family, rows.length);
    for (const [row, { words }] of rows.entries()) writePrefix(columns, row, words);
    return columns;
  });
}

/** Listings in any order, one a prefix. */
export function listingColumns(listings: Iterable<Listing>): ListingColumns[] {
  const sorted = sortedRows(listings, ({ prefix }) => prefix);
  return FAMILIES.map((family) => {
    const rows = sorted.filter(({ words }) => words.family === family);
    const hasBegun = rows.some(({ value }) => value.begun !== 0);
    const columns = emptyListingColumns(family, rows.length, hasBegun);
    for (const [row, { words, value }] of rows.entries()) {
      writePrefix(columns, row, words);
      writeValues(columns, row, value.rank, value.until, value.begun);
    }
    return columns;
  });
}

interface Row<Value> {
  readonly words: PrefixParts;
  readonly value: Value;
}

/** Each prefix is read once, not at every comparison. */
function sortedRows<Value>(values: Iterable<Value>, prefixOf: (value: Value) => Prefix): Row<Value>[] {
  const rows = Array.from(values, (value) => ({ words: partsOf(prefixOf(value)), value }));
  return rows.sort((first, second) => compareWords(first.words, second.words));
}

export function writePrefix(columns: PrefixColumns, row: number, words: Readonly<PrefixWords>): void {
  columns.lengths[row] = words.length;
  if (columns.family === 4) {
    columns.words[row] = words.a;
    return;
  }
  const at = row * 4;
  columns.words[at] = words.a;
  columns.words[at + 1] = words.b;
  columns.words[at + 2] = words.c;
  columns.words[at + 3] = words.d;
}

export function writeValues(columns: ListingColumns, row: number, rank: number, until: number, begun: number): void {
  columns.ranks[row] = rank;
  columns.untils[row] = until;
  if (columns.begun !== undefined) columns.begun[row] = begun;
}

/** Copies the row's prefix into `words`. */
export function readPrefix(columns: PrefixColumns, row: number, words: PrefixWords): void {
  const isV6 = columns.family === 6;
  const at = isV6 ? row * 4 : row;
  words.family = columns.family;
  words.length = columns.lengths[row] ?? 0;
  words.a = columns.words[at] ?? 0;
  words.b = isV6 ? (columns.words[at + 1] ?? 0) : 0;
  words.c = isV6 ? (columns.words[at + 2] ?? 0) : 0;
  words.d = isV6 ? (columns.words[at + 3] ?? 0) : 0;
}

/** Those rows, in that order. */
export function pickRows(columns: PrefixColumns, rows: ArrayLike<number>): PrefixColumns {
  const picked = emptyPrefixColumns(columns.family, rows.length);
  const words = blankWords();
  for (let row = 0; row < rows.length; row += 1) {
    readPrefix(columns, rows[row] ?? 0, words);
    writePrefix(picked, row, words);
  }
  return picked;
}

export function* prefixesOf(families: readonly PrefixColumns[]): Generator<Prefix> {
  const words = blankWords();
  for (const columns of families) {
    for (let row = 0; row < columns.count; row += 1) {
      readPrefix(columns, row, words);
      yield textOfWords(words) as Prefix;
    }
  }
}

export function* listingsOf(families: readonly ListingColumns[]): Generator<Listing> {
  const words = blankWords();
  for (const columns of families) {
    for (let row = 0; row < columns.count; row += 1) {
      readPrefix(columns, row, words);
      yield {
        prefix: textOfWords(words) as Prefix,
        until: (columns.untils[row] ?? 0) as UnixSeconds,
        rank: (columns.ranks[row] ?? 0) as Rank,
        begun: (columns.begun?.[row] ?? 0) as UnixSeconds,
      };
    }
  }
}
