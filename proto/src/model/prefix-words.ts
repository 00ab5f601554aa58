/**
 * A prefix as numbers, and its text: the arithmetic below `prefix.ts`.
 *
 * For speed the scanner writes its result into one shared record instead of making one: whoever scans reads
 * `scanned` at once, before anything else can scan. Nothing here checks or makes the brand `Prefix`.
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

/** Result of the latest scan. */
export const scanned: PrefixWords = { family: 4, length: 32, a: 0, b: 0, c: 0, d: 0 };

export function blankWords(): PrefixWords {
  return { family: 4, length: 0, a: 0, b: 0, c: 0, d: 0 };
}

const MAX_TEXT_LENGTH = 49; // eight groups with an embedded IPv4 address (45) and "/128"
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;

export function maxLength(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Fills `scanned` and says whether the text is a prefix without host bits; on false `scanned` means nothing. */
export function scanPrefix(text: string): boolean {
  const end = text.length;
  if (end > MAX_TEXT_LENGTH) return false;
  let colon = 0;
  while (colon < 5 && colon < end && text.charCodeAt(colon) !== COLON) colon += 1;
  const isV6 = colon < 5 && colon < end;
  scanned.family = isV6 ? 6 : 4;
  const at = isV6 ? scanV6(text) : scanV4(text, 0);
  if (at < 0) return false;
  if (at === end) scanned.length = maxLength(scanned.family);
  else if (!scanLength(text, at)) return false;
  dropMapping(scanned);
  return !hasHostBits(scanned);
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

/** Network mask of one of the four words, as int32. */
export function maskWord(length: number, word: number): number {
  const bits = length - word * 32;
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : -1 << (32 - bits);
}

/** The canonical text: RFC 5952 for IPv6, no length on a single address. */
export function textOfWords({ family, length, a, b, c, d }: PrefixWords): string {
  const address = family === 4 ? textOfV4(a) : textOfV6(a, b, c, d);
  return length === maxLength(family) ? address : `${address}/${length}`;
}

/** Reads a dotted quad from `from` into `scanned.a`; gives the place after it, or -1. */
function scanV4(text: string, from: number): number {
  let at = from;
  let address = 0;
  for (let part = 0; part < 4; part += 1) {
    if (part > 0) {
      if (text.charCodeAt(at) !== DOT) return -1;
      at += 1;
    }
    const first = text.charCodeAt(at) - ZERO;
    if (!(first >= 0 && first <= 9)) return -1; // also NaN, behind the end
    at += 1;
    let octet = first;
    if (first !== 0) {
      for (let more = 0; more < 2; more += 1) {
        const digit = text.charCodeAt(at) - ZERO;
        if (!(digit >= 0 && digit <= 9)) break;
        octet = octet * 10 + digit;
        at += 1;
      }
      if (octet > 255) return -1;
    }
    address = (address << 8) | octet;
  }
  scanned.a = address >>> 0;
  scanned.b = 0;
  scanned.c = 0;
  scanned.d = 0;
  return at;
}

/** Groups of the IPv6 address being scanned. */
const groups = new Uint16Array(8);

/** Reads an IPv6 address into the words of `scanned`; gives the place after it, or -1. */
function scanV6(text: string): number {
  let at = 0;
  let count = 0;
  let gap = -1; // number of groups before "::"
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return -1;
    gap = 0;
    at = 2;
  }
  while (at < text.length && text.charCodeAt(at) !== SLASH) {
    if (count === 8) return -1;
    const begin = at;
    let group = 0;
    for (
      let digit = hexDigit(text.charCodeAt(at));
      digit >= 0 && at - begin < 4;
      digit = hexDigit(text.charCodeAt(at))
    ) {
      group = group * 16 + digit;
      at += 1;
    }
    if (at === begin) return -1;
    if (text.charCodeAt(at) === DOT) {
      at = scanEmbeddedV4(text, begin, count);
      if (at < 0) return -1;
      count += 2;
      break;
    }
    groups[count] = group;
    count += 1;
    if (text.charCodeAt(at) !== COLON) break;
    at += 1;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return -1;
      gap = count;
      at += 1;
    } else if (hexDigit(text.charCodeAt(at)) < 0) return -1; // a colon at the end
  }
  return placeGroups(count, gap) ? at : -1;
}

/** The last 32 bits may be written as a dotted quad. */
function scanEmbeddedV4(text: string, from: number, count: number): number {
  if (count > 6) return -1;
  const at = scanV4(text, from);
  groups[count] = scanned.a >>> 16;
  groups[count + 1] = scanned.a & 0xffff;
  return at;
}

/** Moves what stands behind "::" to the end and fills the words. */
function placeGroups(count: number, gap: number): boolean {
  if (gap < 0 ? count !== 8 : count > 7) return false;
  if (gap >= 0) {
    groups.copyWithin(8 - (count - gap), gap, count);
    groups.fill(0, gap, 8 - (count - gap));
  }
  scanned.a = wordOf(0);
  scanned.b = wordOf(2);
  scanned.c = wordOf(4);
  scanned.d = wordOf(6);
  return true;
}

function wordOf(group: number): number {
  return (((groups[group] ?? 0) << 16) | (groups[group + 1] ?? 0)) >>> 0;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Reads "/24" at the end of the text into `scanned.length`. */
function scanLength(text: string, slash: number): boolean {
  const digits = text.length - slash - 1;
  if (text.charCodeAt(slash) !== SLASH || digits < 1 || digits > 3) return false;
  if (digits > 1 && text.charCodeAt(slash + 1) === ZERO) return false;
  let length = 0;
  for (let at = slash + 1; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return false;
    length = length * 10 + digit;
  }
  scanned.length = length;
  return length <= maxLength(scanned.family);
}

function textOfV4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

function textOfV6(a: number, b: number, c: number, d: number): string {
  const parts = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff, c >>> 16, c & 0xffff, d >>> 16, d & 0xffff];
  const zeros = longestZeros(parts);
  if (zeros.times < 2) return hexOf(parts);
  return `${hexOf(parts.slice(0, zeros.from))}::${hexOf(parts.slice(zeros.from + zeros.times))}`;
}

function hexOf(parts: readonly number[]): string {
  let text = "";
  for (const part of parts) text += text === "" ? part.toString(16) : `:${part.toString(16)}`;
  return text;
}

/** The first of the longest runs of zero groups. */
function longestZeros(parts: readonly number[]): { from: number; times: number } {
  let best = { from: 0, times: 0 };
  for (let from = 0; from < 8; from += 1) {
    let times = 0;
    while (parts[from + times] === 0) times += 1;
    if (times > best.times) best = { from, times };
    from += times;
  }
  return best;
}
