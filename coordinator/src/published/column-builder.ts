/** Listings of one family, written row by row into columns that grow; in the order in which they come. */
import type { Family, PrefixWords } from "@fleetban/proto/model/prefix-words";
import {
  emptyListingColumns,
  type ListingColumns,
  wordsOf,
  writePrefix,
  writeValues,
} from "@fleetban/proto/model/sorted-columns";

const FIRST_ROWS = 256;

export class ColumnBuilder {
  #columns: ListingColumns;
  #count = 0;

  constructor(family: Family, expected = FIRST_ROWS) {
    this.#columns = emptyListingColumns(family, Math.max(FIRST_ROWS, expected), false);
  }

  get count(): number {
    return this.#count;
  }

  push(words: Readonly<PrefixWords>, rank: number, until: number): void {
    if (this.#count === this.#columns.count) this.#columns = resized(this.#columns, this.#count * 2);
    writePrefix(this.#columns, this.#count, words);
    writeValues(this.#columns, this.#count, rank, until, 0);
    this.#count += 1;
  }

  /** What follows a row that was taken back is written over it. */
  takeBack(): void {
    this.#count -= 1;
  }

  /** What is written so far, without a copy: good until the next change. */
  peek(): ListingColumns {
    return this.#columns;
  }

  finish(): ListingColumns {
    return resized(this.#columns, this.#count);
  }
}

function resized(from: ListingColumns, count: number): ListingColumns {
  const to = emptyListingColumns(from.family, count, false);
  to.words.set(from.words.subarray(0, Math.min(from.words.length, count * wordsOf(from.family))));
  to.lengths.set(from.lengths.subarray(0, count));
  to.ranks.set(from.ranks.subarray(0, count));
  to.untils.set(from.untils.subarray(0, count));
  return to;
}
