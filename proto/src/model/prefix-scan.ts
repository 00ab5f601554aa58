/**
 * The scanner of prefixes: strict, and allocating nothing.
 *
 * For speed it writes its result into one shared record instead of making one: whoever scans reads `scanned` at once,
 * before anything else can scan. A text that is scanned again and again, as one entry's is while it is planned, is read
 * once. Why a text was refused is worked out by `prefix-refusal.ts`.
 */
import { textOfWords } from "./prefix-text.ts";
import { dropMapping, hasHostBits, maxLength, type PrefixWords } from "./prefix-words.ts";

/** Result of the latest scan. */
export const scanned: PrefixWords = { family: 4, length: 32, a: 0, b: 0, c: 0, d: 0 };
/** The text that `scanned` is of; empty = of none. */
let lastText = "";

const MAX_TEXT_LENGTH = 49; // eight groups with an embedded IPv4 address (45) and "/128"
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;

/** Fills `scanned` and says whether the text is a prefix without host bits; on false `scanned` means nothing. */
export function scanPrefix(text: string): boolean {
  if (text === lastText) return text !== "";
  const end = text.length;
  if (end > MAX_TEXT_LENGTH) return false;
  lastText = "";
  let colon = 0;
  while (colon < 5 && colon < end && text.charCodeAt(colon) !== COLON) colon += 1;
  const isV6 = colon < 5 && colon < end;
  scanned.family = isV6 ? 6 : 4;
  const at = isV6 ? scanV6(text) : scanV4(text, 0);
  if (at < 0) return false;
  if (at === end) scanned.length = maxLength(scanned.family);
  else if (!scanLength(text, at)) return false;
  dropMapping(scanned);
  if (hasHostBits(scanned)) return false;
  lastText = text;
  return true;
}

/** The text of words that are a prefix, as if it had just been scanned. */
export function scannedTextOf(words: Readonly<PrefixWords>): string {
  lastText = textOfWords(words);
  scanned.family = words.family;
  scanned.length = words.length;
  scanned.a = words.a;
  scanned.b = words.b;
  scanned.c = words.c;
  scanned.d = words.d;
  return lastText;
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
