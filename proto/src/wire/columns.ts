/**
 * Listings as columns: what a delta and a snapshot have in common (PROTOCOL §2, `Columns`).
 *
 * Equal listings have equal bytes. Decoding gives sorted, distinct, canonical listings or a WireError.
 */
import { createHash } from "node:crypto";
import { finish, type Slices } from "@fleetban/kit/slices";
import { MAX_RANK } from "../model/listing.ts";
import { emptyListingColumns, FAMILIES, type ListingColumns } from "../model/sorted-columns.ts";
import { MAX_UNTIL } from "../model/until.ts";
import type { Columns } from "./gen/fleetban/v1/columns.ts";
import { decodePrefixesInSlices, encodePrefixesInSlices } from "./prefixes.ts";
import { decodeRuns, encodeRuns, type NumberColumn } from "./runs.ts";

/** Under a millisecond. */
const HASHED_A_SLICE_BYTES = 1 << 20;

export function encodeColumns(families: readonly ListingColumns[]): Columns {
  return finish(encodeColumnsInSlices(families));
}

export function* encodeColumnsInSlices(families: readonly ListingColumns[]): Slices<Columns> {
  const hasBegun = families.some(({ begun }) => begun?.some((moment) => moment !== 0) === true);
  return {
    prefixes: yield* encodePrefixesInSlices(families),
    until: encodeRuns(families.map(({ untils }) => untils)),
    rank: encodeRuns(families.map(({ ranks }) => ranks)),
    begun: hasBegun ? encodeRuns(families.map(({ begun, count }) => begun ?? new Uint32Array(count))) : Buffer.alloc(0),
  };
}

/** Refuses more than `maxListings` before it allocates. `part` names the message in errors. */
export function decodeColumns(part: string, message: Columns | undefined, maxListings: number): ListingColumns[] {
  return finish(decodeColumnsInSlices(part, message, maxListings));
}

export function* decodeColumnsInSlices(
  part: string,
  message: Columns | undefined,
  maxListings: number,
): Slices<ListingColumns[]> {
  const hasBegun = (message?.begun.length ?? 0) > 0;
  const families = yield* decodePrefixesInSlices(part, message?.prefixes, maxListings, (family, count) =>
    emptyListingColumns(family, count, hasBegun),
  );
  const empty = new Uint8Array(0);
  decodeRuns(
    `${part} until`,
    message?.until ?? empty,
    families.map(({ untils }) => untils),
    MAX_UNTIL,
  );
  decodeRuns(
    `${part} rank`,
    message?.rank ?? empty,
    families.map(({ ranks }) => ranks),
    MAX_RANK,
  );
  if (hasBegun) decodeRuns(`${part} begun`, message?.begun ?? empty, families.map(beginnings), MAX_UNTIL);
  return families;
}

/**
 * The second proof beside the digest: SHA-256 over prefixes, until and rank, whatever their form on the wire.
 * For IPv4, then IPv6: count, addresses (words, most significant first), lengths, until, rank; numbers of 32 bits are
 * little-endian, the others bytes.
 */
export function canonicalSha256(families: readonly ListingColumns[]): Buffer {
  return finish(canonicalSha256InSlices(families));
}

/** For a list that may be long: 6 ms a million listings. */
export function* canonicalSha256InSlices(families: readonly ListingColumns[]): Slices<Buffer> {
  const hash = createHash("sha256");
  for (const family of FAMILIES) {
    const columns = families.find((candidate) => candidate.family === family);
    hash.update(littleEndian(Uint32Array.of(columns?.count ?? 0)));
    if (columns === undefined) continue;
    for (const column of [littleEndian(columns.words), columns.lengths, littleEndian(columns.untils), columns.ranks]) {
      for (let at = 0; at < column.length; at += HASHED_A_SLICE_BYTES) {
        hash.update(column.subarray(at, at + HASHED_A_SLICE_BYTES));
        yield;
      }
    }
  }
  return hash.digest();
}

function beginnings({ begun, count }: ListingColumns): NumberColumn {
  return begun ?? new Uint32Array(count);
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function littleEndian(words: Uint32Array): Uint8Array {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  return isLittleEndian ? bytes : Buffer.from(bytes).swap32();
}
