/**
 * A table from prefixes of one family to what is listed of them, in typed arrays: 10 bytes a slot for IPv4, 22 for IPv6.
 *
 * Open addressing with linear probing; a removal shifts back what follows, so there are no tombstones. The place of a
 * prefix depends on a secret (the digest key), because attackers choose which addresses get listed and could otherwise
 * choose ones that collide. Mutates in place for speed; behind `blocklist.ts` and the agent's table of kernel entries.
 */
import type { DigestKey } from "./digest.ts";
import { blankWords, type Family, type PrefixWords } from "./prefix-words.ts";

const MIN_SLOTS = 16;
const MAX_LOAD = 0.7;
const GROWTH = 1.5; // keeps the load above 0.46; doubling would waste a third more
const FREE = 255; // no prefix is that long

export class PrefixTable {
  readonly family: Family;
  readonly #secret: DigestKey;
  #words: Uint32Array;
  #lengths: Uint8Array;
  #ranks: Uint8Array;
  #untils: Uint32Array;
  /** Absent while all are 0: only exempt lists need it. */
  #begun: Uint32Array | undefined;
  #used = 0;

  constructor(family: Family, secret: DigestKey, expected = 0) {
    this.family = family;
    this.#secret = secret;
    const slots = Math.max(MIN_SLOTS, Math.ceil((expected + 1) / MAX_LOAD));
    this.#words = new Uint32Array(slots * this.#width);
    this.#lengths = new Uint8Array(slots).fill(FREE);
    this.#ranks = new Uint8Array(slots);
    this.#untils = new Uint32Array(slots);
  }

  get size(): number {
    return this.#used;
  }

  get slots(): number {
    return this.#lengths.length;
  }

  get hasBegun(): boolean {
    return this.#begun !== undefined;
  }

  isUsed(slot: number): boolean {
    return this.#lengths[slot] !== FREE;
  }

  rankAt(slot: number): number {
    return this.#ranks[slot] ?? 0;
  }

  untilAt(slot: number): number {
    return this.#untils[slot] ?? 0;
  }

  begunAt(slot: number): number {
    return this.#begun?.[slot] ?? 0;
  }

  /** How many have no end, or one after that moment. */
  countAfter(moment: number): number {
    let count = 0;
    for (let slot = 0; slot < this.#lengths.length; slot += 1) {
      if (this.#lengths[slot] === FREE) continue;
      const until = this.#untils[slot] ?? 0;
      if (until === 0 || until > moment) count += 1;
    }
    return count;
  }

  /** Copies the slot's prefix into `words`. */
  readWords(slot: number, words: PrefixWords): void {
    const at = slot * this.#width;
    words.family = this.family;
    words.length = this.#lengths[slot] ?? 0;
    words.a = this.#words[at] ?? 0;
    const isV6 = this.family === 6;
    words.b = isV6 ? (this.#words[at + 1] ?? 0) : 0;
    words.c = isV6 ? (this.#words[at + 2] ?? 0) : 0;
    words.d = isV6 ? (this.#words[at + 3] ?? 0) : 0;
  }

  /** The prefix's slot, or -1. */
  find(words: Readonly<PrefixWords>): number {
    const slot = this.#probe(words);
    return this.#lengths[slot] === FREE ? -1 : slot;
  }

  /** Makes room for so many at once: growing step by step writes each prefix three times. */
  reserve(expected: number): void {
    if (expected / this.slots > MAX_LOAD) this.#grow(expected);
  }

  /** Writes the prefix, present or not. */
  put(words: Readonly<PrefixWords>, rank: number, until: number, begun: number): void {
    let slot = this.#probe(words);
    if (this.#lengths[slot] === FREE) {
      if ((this.#used + 1) / this.slots > MAX_LOAD) {
        this.#grow(Math.ceil(this.#used * GROWTH));
        slot = this.#probe(words);
      }
      this.#used += 1;
    }
    this.#write(slot, words, rank, until, begun);
  }

  /** Frees the slot and moves back those behind it that belong at it or before. */
  removeAt(slot: number): void {
    const follower = blankWords();
    let hole = slot;
    for (let next = this.#after(slot); this.isUsed(next); next = this.#after(next)) {
      this.readWords(next, follower);
      const home = this.#home(follower);
      const isReachable = hole <= next ? home > hole && home <= next : home > hole || home <= next;
      if (isReachable) continue; // its probing never comes by the hole
      this.#write(hole, follower, this.rankAt(next), this.untilAt(next), this.begunAt(next));
      hole = next;
    }
    this.#lengths[hole] = FREE;
    this.#used -= 1;
  }

  /** Order of two slots: by address, then length. */
  compare(first: number, second: number): number {
    const width = this.#width;
    for (let word = 0; word < width; word += 1) {
      const difference = (this.#words[first * width + word] ?? 0) - (this.#words[second * width + word] ?? 0);
      if (difference !== 0) return difference;
    }
    return (this.#lengths[first] ?? 0) - (this.#lengths[second] ?? 0);
  }

  /** An empty one with the same secret. */
  blank(expected = 0): PrefixTable {
    return new PrefixTable(this.family, this.#secret, expected);
  }

  clone(): PrefixTable {
    const copy = this.blank();
    copy.#words = this.#words.slice();
    copy.#lengths = this.#lengths.slice();
    copy.#ranks = this.#ranks.slice();
    copy.#untils = this.#untils.slice();
    copy.#begun = this.#begun?.slice();
    copy.#used = this.#used;
    return copy;
  }

  get #width(): number {
    return this.family === 4 ? 1 : 4;
  }

  #after(slot: number): number {
    return slot + 1 === this.slots ? 0 : slot + 1;
  }

  /** The slot that holds the prefix, or the free one where it would go. */
  #probe(words: Readonly<PrefixWords>): number {
    let slot = this.#home(words);
    while (this.#lengths[slot] !== FREE && !this.#holds(slot, words)) slot = this.#after(slot);
    return slot;
  }

  #holds(slot: number, { family, length, a, b, c, d }: Readonly<PrefixWords>): boolean {
    if (this.#lengths[slot] !== length) return false;
    if (family === 4) return this.#words[slot] === a;
    const at = slot * 4;
    const words = this.#words;
    return words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
  }

  /** Multilinear in the secret, mixed (the end of MurmurHash3), then scaled to the number of slots. */
  #home({ length, a, b, c, d }: Readonly<PrefixWords>): number {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = this.#secret;
    let mixed = Math.imul(a ^ s3, s0 | 1) ^ Math.imul(length, 0x9e3779b1);
    if (this.family === 6) {
      mixed = (mixed + Math.imul(b ^ s0, s1 | 1) + Math.imul(c ^ s1, s2 | 1) + Math.imul(d ^ s2, s3 | 1)) | 0;
    }
    mixed = Math.imul(mixed ^ (mixed >>> 16) ^ s1, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return Math.floor((((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296) * this.slots);
  }

  #write(slot: number, words: Readonly<PrefixWords>, rank: number, until: number, begun: number): void {
    const at = slot * this.#width;
    this.#lengths[slot] = words.length;
    this.#ranks[slot] = rank;
    this.#untils[slot] = until;
    if (begun !== 0) this.#begun ??= new Uint32Array(this.slots);
    if (this.#begun !== undefined) this.#begun[slot] = begun;
    this.#words[at] = words.a;
    if (this.family === 4) return;
    this.#words[at + 1] = words.b;
    this.#words[at + 2] = words.c;
    this.#words[at + 3] = words.d;
  }

  #grow(expected: number): void {
    const wider = this.blank(expected);
    const words = blankWords();
    for (let slot = 0; slot < this.slots; slot += 1) {
      if (!this.isUsed(slot)) continue;
      this.readWords(slot, words);
      wider.put(words, this.rankAt(slot), this.untilAt(slot), this.begunAt(slot));
    }
    this.#words = wider.#words;
    this.#lengths = wider.#lengths;
    this.#ranks = wider.#ranks;
    this.#untils = wider.#untils;
    this.#begun = wider.#begun;
  }
}
