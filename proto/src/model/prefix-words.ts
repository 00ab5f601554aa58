/**
 * A prefix as numbers: the arithmetic below `prefix.ts`. Nothing here checks or makes the brand `Prefix`.
 */

export type Family = 4 | 6;

/** Four uint32 words, the most significant in `a`; an IPv4 address is in `a` and the others are 0. */
export interface PrefixWords {
  family: Family;
  length: number;
  a: number;
  b: number;
  c: number;
  d: number;
}

export function blankWords(): PrefixWords {
  return { family: 4, length: 0, a: 0, b: 0, c: 0, d: 0 };
}

export function maxLength(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** IPv4-mapped IPv6 (::ffff:0:0/96) is IPv4. */
export function dropMapping(words: PrefixWords): void {
  if (words.family !== 6 || words.a !== 0 || words.b !== 0 || words.c !== 0xffff || words.length < 96) return;
  words.family = 4;
  words.length -= 96;
  words.a = words.d;
  words.c = 0;
  words.d = 0;
}

export function hasHostBits({ family, length, a, b, c, d }: PrefixWords): boolean {
  if (length === maxLength(family)) return false;
  return (
    (a & ~maskWord(length, 0)) !== 0 ||
    (b & ~maskWord(length, 1)) !== 0 ||
    (c & ~maskWord(length, 2)) !== 0 ||
    (d & ~maskWord(length, 3)) !== 0
  );
}

/** The first `length` bits of both are the same. */
export function agree(one: Readonly<PrefixWords>, other: Readonly<PrefixWords>, length: number): boolean {
  return (
    one.family === other.family &&
    ((one.a ^ other.a) & maskWord(length, 0)) === 0 &&
    ((one.b ^ other.b) & maskWord(length, 1)) === 0 &&
    ((one.c ^ other.c) & maskWord(length, 2)) === 0 &&
    ((one.d ^ other.d) & maskWord(length, 3)) === 0
  );
}

/** Order of the wire: IPv4 first, then by address, then the wider first. */
export function compareWords(one: Readonly<PrefixWords>, other: Readonly<PrefixWords>): number {
  return (
    one.family - other.family ||
    one.a - other.a ||
    one.b - other.b ||
    one.c - other.c ||
    one.d - other.d ||
    one.length - other.length
  );
}

/** Of that length, the bits behind 0. */
export function widenedWords({ family, a, b, c, d }: Readonly<PrefixWords>, length: number): PrefixWords {
  const mask = (word: number, index: number) => (word & maskWord(length, index)) >>> 0;
  return { family, length, a: mask(a, 0), b: mask(b, 1), c: mask(c, 2), d: mask(d, 3) };
}

/** Network mask of one of the four words, as int32. */
export function maskWord(length: number, word: number): number {
  const bits = length - word * 32;
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : -1 << (32 - bits);
}
