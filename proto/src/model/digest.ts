/**
 * The digest of a list: the sum of SipHash-2-4-128 over its listings, modulo 2^128, so that order plays no part and a
 * change costs two evaluations (PROTOCOL §4; keeps invariant 2).
 *
 * A hash counts as an integer with its bytes little-endian, as SipHash gives them; on the wire a digest is big-endian.
 * Hashing goes through shared scratch words: nothing is allocated for a listing.
 */
import type { Brand } from "@fleetban/kit/brand";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Listing, ListNo } from "./listing.ts";
import type { Prefix } from "./prefix.ts";
import { scanned, scanPrefix } from "./prefix-scan.ts";
import type { PrefixWords } from "./prefix-words.ts";
import { keyWords, sipHashWords } from "./siphash.ts";

/** Below 2^128. */
export type Digest = Brand<bigint, "Digest">;
/** The ledger's secret, new with each epoch. */
export type DigestKey = Brand<Uint32Array, "DigestKey">;

export const EMPTY_DIGEST = 0n as Digest;

const DIGEST_BYTES = 16;
const MODULUS = 1n << 128n;

export function parseDigestKey(bytes: Uint8Array): DigestKey {
  if (bytes.length !== DIGEST_BYTES) {
    throw new FleetbanError("bad-digest-key", `digest key of ${bytes.length} bytes: must be ${DIGEST_BYTES}`);
  }
  return keyWords(bytes) as DigestKey;
}

/** What `parseDigestKey` reads back: 16 bytes. */
export function digestKeyToBytes(key: DigestKey): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [word, value] of key.entries()) view.setUint32(word * 4, value, true);
  return bytes;
}

/** Of one listing as it stands on the list. */
export function digestOfListing(key: DigestKey, list: ListNo, listing: Listing): Digest {
  read(listing.prefix);
  hashListing(key, list, scanned, listing.rank, listing.until);
  return digestOfWords(hash);
}

/** Of one entry, as the kernel knows it: without rank and end. */
export function kernelDigestOf(key: DigestKey, list: ListNo, prefix: Prefix): Digest {
  read(prefix);
  hashEntry(key, list, scanned);
  return digestOfWords(hash);
}

export function addDigest(a: Digest, b: Digest): Digest {
  return ((a + b) % MODULUS) as Digest;
}

export function subtractDigest(a: Digest, b: Digest): Digest {
  return ((a + MODULUS - b) % MODULUS) as Digest;
}

/** Big-endian. */
export function digestToBytes(digest: Digest): Uint8Array {
  return Buffer.from(digest.toString(16).padStart(2 * DIGEST_BYTES, "0"), "hex");
}

export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.length !== DIGEST_BYTES) {
    throw new FleetbanError("bad-digest", `digest of ${bytes.length} bytes: must be ${DIGEST_BYTES}`);
  }
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`) as Digest;
}

/** Place of an entry within its rank at the cut: the top byte of its kernel digest. */
export function bucketOf(kernelDigest: Digest): number {
  return Number(kernelDigest >> 120n);
}

/** The same straight from the prefix, without making the digest. */
export function bucketOfPrefix(key: DigestKey, list: ListNo, prefix: Prefix): number {
  read(prefix);
  hashEntry(key, list, scanned);
  return (hash[3] ?? 0) >>> 24;
}

/** A running sum over one list's listings or entries, kept in place: for sums over many. */
export class DigestSum {
  readonly #key: DigestKey;
  readonly #list: ListNo;
  readonly #sum: Uint32Array;

  constructor(key: DigestKey, list: ListNo, start: Digest = EMPTY_DIGEST) {
    this.#key = key;
    this.#list = list;
    this.#sum = wordsOfDigest(start);
  }

  get digest(): Digest {
    return digestOfWords(this.#sum);
  }

  addListing(listing: Listing): void {
    read(listing.prefix);
    this.addListingWords(scanned, listing.rank, listing.until);
  }

  removeListing(listing: Listing): void {
    read(listing.prefix);
    this.removeListingWords(scanned, listing.rank, listing.until);
  }

  /** One entry of the kernel's. */
  addEntry(prefix: Prefix): void {
    read(prefix);
    hashEntry(this.#key, this.#list, scanned);
    addWords(this.#sum, hash);
  }

  removeEntry(prefix: Prefix): void {
    read(prefix);
    hashEntry(this.#key, this.#list, scanned);
    subtractWords(this.#sum, hash);
  }

  /** For columns, where the prefix is at hand as words. */
  addListingWords(words: Readonly<PrefixWords>, rank: number, until: number): void {
    hashListing(this.#key, this.#list, words, rank, until);
    addWords(this.#sum, hash);
  }

  removeListingWords(words: Readonly<PrefixWords>, rank: number, until: number): void {
    hashListing(this.#key, this.#list, words, rank, until);
    subtractWords(this.#sum, hash);
  }
}

const KIND_LISTING = 1;
const KIND_ENTRY = 2;
const V4_TUPLE_BYTES = 24;
const V6_TUPLE_BYTES = 32;
const TWO_TO_32 = 4_294_967_296;

const tuple = new Uint32Array(V6_TUPLE_BYTES / 4 + 2); // and the block that holds the length
const hash = new Uint32Array(4);

function hashListing(key: DigestKey, list: ListNo, words: Readonly<PrefixWords>, rank: number, until: number): void {
  tuple[0] = KIND_LISTING | (words.family << 8) | (words.length << 16) | (rank << 24);
  tuple[2] = until % TWO_TO_32;
  tuple[3] = until / TWO_TO_32;
  hashTuple(key, list, words);
}

function hashEntry(key: DigestKey, list: ListNo, words: Readonly<PrefixWords>): void {
  tuple[0] = KIND_ENTRY | (words.family << 8) | (words.length << 16);
  tuple[2] = 0;
  tuple[3] = 0;
  hashTuple(key, list, words);
}

/** Little-endian throughout, but for the address, whose bytes stand in network order. */
function hashTuple(key: DigestKey, list: ListNo, { family, a, b, c, d }: Readonly<PrefixWords>): void {
  tuple[1] = list;
  tuple[4] = swapBytes(a);
  tuple[5] = swapBytes(b); // b, c and d of an IPv4 prefix are 0
  tuple[6] = swapBytes(c);
  tuple[7] = swapBytes(d);
  sipHashWords(key, tuple, family === 4 ? V4_TUPLE_BYTES : V6_TUPLE_BYTES, hash);
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** Into the scanner's shared record. */
function read(prefix: Prefix): void {
  scanPrefix(prefix);
}

function addWords(sum: Uint32Array, addend: Uint32Array): void {
  let carry = 0;
  for (let word = 0; word < 4; word += 1) {
    const total = (sum[word] ?? 0) + (addend[word] ?? 0) + carry;
    carry = total >= TWO_TO_32 ? 1 : 0;
    sum[word] = total; // keeps the low 32 bits
  }
}

function subtractWords(sum: Uint32Array, subtrahend: Uint32Array): void {
  let borrow = 0;
  for (let word = 0; word < 4; word += 1) {
    const rest = (sum[word] ?? 0) - (subtrahend[word] ?? 0) - borrow;
    borrow = rest < 0 ? 1 : 0;
    sum[word] = rest;
  }
}

function digestOfWords(words: Uint32Array): Digest {
  return words.reduceRight((value, word) => (value << 32n) | BigInt(word), 0n) as Digest;
}

function wordsOfDigest(digest: Digest): Uint32Array {
  return Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((digest >> shift) & 0xffffffffn));
}
