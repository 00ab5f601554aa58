/**
 * As many of the best ranks as a device holds, as an agent's line cuts (PROTOCOL §6): rank after rank, and within the
 * last one by a draw over the address, so that no address range is favored and the choice stays from one edition to the next.
 */
import type { Slices } from "@fleetban/kit/slices";
import { MAX_RANK } from "@fleetban/proto/model/listing";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { ColumnBuilder } from "./column-builder.ts";
import { drawOf } from "./draw.ts";

export interface Bounds {
  /** Ranks above it are left out. */
  readonly maxRank: number;
  /** Most rows of both families together; Infinity = all. */
  readonly maxRows: number;
}

const BUCKETS = 4_096;
const SLICE_ROWS = 1_024;

export function* bestRanks(
  families: readonly ListingColumns[],
  { maxRank, maxRows }: Bounds,
): Slices<readonly ListingColumns[]> {
  const total = families.reduce((sum, { count }) => sum + count, 0);
  if (maxRank >= MAX_RANK && total <= maxRows) return families;
  const counts = yield* countsOf(families);
  let [left, cut] = [maxRows, 0];
  while (cut <= maxRank * BUCKETS + BUCKETS - 1 && cut < counts.length && left - (counts[cut] ?? 0) >= 0) {
    left -= counts[cut] ?? 0;
    cut += 1;
  }
  const kept: ListingColumns[] = [];
  for (const columns of families) kept.push(yield* below(columns, cut));
  return kept;
}

function* countsOf(families: readonly ListingColumns[]): Slices<Uint32Array> {
  const counts = new Uint32Array((MAX_RANK + 1) * BUCKETS);
  for (const columns of families) {
    for (let row = 0; row < columns.count; row += 1) {
      const place = placeOf(columns, row);
      counts[place] = (counts[place] ?? 0) + 1;
      if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
    }
  }
  return counts;
}

function* below(columns: ListingColumns, cut: number): Slices<ListingColumns> {
  const kept = new ColumnBuilder(columns.family);
  for (let row = 0; row < columns.count; row += 1) {
    if (placeOf(columns, row) < cut) {
      readPrefix(columns, row, words);
      kept.push(words, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
    }
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
  }
  return kept.finish();
}

const words = blankWords();

function placeOf(columns: ListingColumns, row: number): number {
  readPrefix(columns, row, words);
  return (columns.ranks[row] ?? 0) * BUCKETS + (drawOf(words) % BUCKETS);
}
