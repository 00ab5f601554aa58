/**
 * Columns as bytes for the mirror's own files: typed arrays as they lie in memory, little-endian as every machine that
 * the agent is built for. Fast to write and to read, 14 bytes an IPv4 listing; the files are never carried elsewhere.
 */
import { emptyListingColumns, FAMILIES, type ListingColumns, wordsOf } from "@fleetban/proto/model/sorted-columns";

const HEAD_WORDS = 2; // count, and whether `begun` follows
const HEAD_BYTES = 4 * HEAD_WORDS;

/** One piece a column, to be written one after the other. */
export function* flatPieces(families: readonly ListingColumns[]): Generator<Uint8Array> {
  for (const family of FAMILIES) {
    const columns = families.find((candidate) => candidate.family === family) ?? emptyListingColumns(family, 0, false);
    const { count, words, lengths, ranks, untils, begun } = columns;
    yield bytesOf(Uint32Array.of(count, begun === undefined ? 0 : 1));
    yield bytesOf(words);
    yield bytesOf(untils);
    if (begun !== undefined) yield bytesOf(begun);
    yield ranks;
    yield lengths;
  }
}

/** Undefined when the bytes are not exactly two families' columns. Counts are checked before anything is allocated. */
export function readFlat(bytes: Uint8Array): readonly ListingColumns[] | undefined {
  const read: ListingColumns[] = [];
  let rest = bytes;
  for (const family of FAMILIES) {
    if (rest.length < HEAD_BYTES) return undefined;
    const [count = 0, hasBegun = 0] = new Uint32Array(copyOf(rest, HEAD_BYTES));
    rest = rest.subarray(HEAD_BYTES);
    const columns = hasBegun > 1 ? undefined : readFamily(rest, family, count, hasBegun === 1);
    if (columns === undefined) return undefined;
    read.push(columns);
    rest = rest.subarray(sizeOf(family, count, hasBegun === 1));
  }
  return rest.length === 0 ? read : undefined;
}

function readFamily(bytes: Uint8Array, family: 4 | 6, count: number, hasBegun: boolean): ListingColumns | undefined {
  if (bytes.length < sizeOf(family, count, hasBegun)) return undefined;
  let at = 0;
  const take = (size: number) => {
    at += size;
    return copyOf(bytes.subarray(at - size), size);
  };
  const words = new Uint32Array(take(count * wordsOf(family) * 4));
  const untils = new Uint32Array(take(count * 4));
  const begun = hasBegun ? new Uint32Array(take(count * 4)) : undefined;
  const ranks = new Uint8Array(take(count));
  const lengths = new Uint8Array(take(count));
  return { family, count, words, lengths, ranks, untils, begun };
}

function sizeOf(family: 4 | 6, count: number, hasBegun: boolean): number {
  return count * (wordsOf(family) * 4 + 4 + (hasBegun ? 4 : 0) + 2);
}

/** A copy begins at an address that typed arrays of words accept. */
function copyOf(bytes: Uint8Array, size: number): ArrayBuffer {
  return Uint8Array.prototype.slice.call(bytes, 0, size).buffer;
}

function bytesOf(column: Uint32Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}
