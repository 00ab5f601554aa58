/**
 * A table's listings as columns, sorted or as they stand.
 *
 * IPv4: address and length make one number below 2^38, and typed arrays sort numbers natively;
 * then each row is looked up. IPv6 does not fit a number: its slots are sorted by comparing words, which is slower.
 */
import type { Slices } from "@fleetban/kit/slices";
import type { PrefixTable } from "./prefix-table.ts";
import { blankWords } from "./prefix-words.ts";
import { emptyListingColumns, type ListingColumns, writePrefix, writeValues } from "./sorted-columns.ts";

const LENGTHS = 64; // more than the 33 lengths of IPv4, a power of two
const FIRST_BYTES = 256;
const KEYS_A_BYTE = 2 ** 24 * LENGTHS;
const SLICE_ROWS = 1_024; // some 0.4 ms

/** As they stand in the table. */
export function unsortedColumnsOf(table: PrefixTable): ListingColumns {
  const columns = emptyListingColumns(table.family, table.size, table.hasBegun);
  const words = blankWords();
  for (let slot = 0, row = 0; slot < table.slots; slot += 1) {
    if (!table.isUsed(slot)) continue;
    table.readWords(slot, words);
    writePrefix(columns, row, words);
    writeValues(columns, row, table.rankAt(slot), table.untilAt(slot), table.begunAt(slot));
    row += 1;
  }
  return columns;
}

/** The table must not change before the last slice. */
export function* sortedColumnsOf(table: PrefixTable): Slices<ListingColumns> {
  const columns = emptyListingColumns(table.family, table.size, table.hasBegun);
  const slots = table.family === 4 ? yield* sortedV4(table) : sortedV6(table);
  const words = blankWords();
  for (let row = 0; row < slots.length; row += 1) {
    const slot = slots[row] ?? 0;
    table.readWords(slot, words);
    writePrefix(columns, row, words);
    writeValues(columns, row, table.rankAt(slot), table.untilAt(slot), table.begunAt(slot));
    if (row % SLICE_ROWS === 0) yield;
  }
  return columns;
}

function* sortedV4(table: PrefixTable): Slices<Uint32Array> {
  const slots = usedSlots(table);
  const words = blankWords();
  const keys = new Float64Array(slots.length);
  for (let row = 0; row < slots.length; row += 1) {
    table.readWords(slots[row] ?? 0, words);
    keys[row] = words.a * LENGTHS + words.length;
    if (row % SLICE_ROWS === 0) yield;
  }
  yield* sortKeys(keys);
  for (let row = 0; row < slots.length; row += 1) {
    const key = keys[row] ?? 0;
    words.a = Math.floor(key / LENGTHS);
    words.length = key % LENGTHS;
    slots[row] = table.find(words);
    if (row % SLICE_ROWS === 0) yield;
  }
  return slots;
}

/** By the first byte of the address, then each of those by itself: all at once would hold everybody up for 0.1 s a million. */
function* sortKeys(keys: Float64Array): Slices<void> {
  const unsorted = keys.slice();
  const ends = new Uint32Array(FIRST_BYTES + 1);
  for (const key of keys) {
    const byte = Math.floor(key / KEYS_A_BYTE) + 1;
    ends[byte] = (ends[byte] ?? 0) + 1;
  }
  for (let byte = 1; byte <= FIRST_BYTES; byte += 1) ends[byte] = (ends[byte] ?? 0) + (ends[byte - 1] ?? 0);
  yield;
  const next = ends.slice();
  for (let row = 0; row < unsorted.length; row += 1) {
    const key = unsorted[row] ?? 0;
    const byte = Math.floor(key / KEYS_A_BYTE);
    keys[next[byte] ?? 0] = key;
    next[byte] = (next[byte] ?? 0) + 1;
    if (row % SLICE_ROWS === 0) yield;
  }
  for (let byte = 0; byte < FIRST_BYTES; byte += 1) {
    keys.subarray(ends[byte], ends[byte + 1]).sort();
    if (byte % 8 === 0) yield;
  }
}

function sortedV6(table: PrefixTable): Uint32Array {
  return usedSlots(table).sort((first, second) => table.compare(first, second));
}

function usedSlots(table: PrefixTable): Uint32Array {
  const slots = new Uint32Array(table.size);
  let row = 0;
  for (let slot = 0; slot < table.slots; slot += 1) {
    if (!table.isUsed(slot)) continue;
    slots[row] = slot;
    row += 1;
  }
  return slots;
}
