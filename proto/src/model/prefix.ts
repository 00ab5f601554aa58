/**
 * A prefix: one address or one network of either family, as its canonical text.
 *
 * The text is its own map key, SQL value and JSON value: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::1`, `2001:db8::/32`.
 * Only `parsePrefix` and the makers below give the brand, so nobody checks twice. IPv4-mapped IPv6 becomes IPv4.
 */
import type { Brand } from "@fleetban/kit/brand";
import { PrefixError, refusalOf } from "./prefix-refusal.ts";
import { scanned, scanPrefix } from "./prefix-scan.ts";
import { textOfWords } from "./prefix-text.ts";
import {
  agree,
  compareWords,
  dropMapping,
  type Family,
  hasHostBits,
  maxLength,
  type PrefixWords,
  widenedWords,
} from "./prefix-words.ts";

export type Prefix = Brand<string, "Prefix">;
export type { Family } from "./prefix-words.ts";
export type PrefixParts = Readonly<PrefixWords>;

/** Strict: one spelling mistake, a set host bit or a blank is refused with a PrefixError that names the remedy. */
export function parsePrefix(text: string): Prefix {
  if (!scanPrefix(text)) throw refusalOf(text);
  return canonical(text);
}

/** As `parsePrefix`, for feeds where a bad line is an expected outcome. */
export function tryParsePrefix(text: string): Prefix | undefined {
  return scanPrefix(text) ? canonical(text) : undefined;
}

export function partsOf(prefix: Prefix): PrefixParts {
  return { ...read(prefix) };
}

export function prefixOf(parts: PrefixParts): Prefix {
  const words = { ...parts };
  dropMapping(words);
  const isWhole = Number.isInteger(words.length) && words.length >= 0 && words.length <= maxLength(words.family);
  if (!isWhole || hasHostBits(words))
    throw refusalOf(`${textOfWords({ ...words, length: maxLength(words.family) })}/${words.length}`);
  return textOfWords(words) as Prefix;
}

/** 4 or 16 bytes, network order. */
export function bytesOf(prefix: Prefix): Uint8Array {
  const { family, a, b, c, d } = read(prefix);
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  const words = [a, b, c, d];
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, words[at / 4] ?? 0);
  return bytes;
}

/** Masks nothing: host bits are an error. Without `length` it is one address. */
export function prefixFromBytes(bytes: Uint8Array, length?: number): Prefix {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new PrefixError(`address of ${bytes.length} bytes: must be 4 or 16`, "send the address in network order");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family: Family = bytes.length === 4 ? 4 : 6;
  const word = (at: number) => (at < bytes.length ? view.getUint32(at) : 0);
  return prefixOf({ family, length: length ?? maxLength(family), a: word(0), b: word(4), c: word(8), d: word(12) });
}

export function familyOf(prefix: Prefix): Family {
  return prefix.includes(":") ? 6 : 4;
}

export function lengthOf(prefix: Prefix): number {
  const slash = prefix.lastIndexOf("/");
  return slash < 0 ? maxLength(familyOf(prefix)) : Number(prefix.slice(slash + 1));
}

/** One address, not a network. */
export function isSingle(prefix: Prefix): boolean {
  return !prefix.includes("/");
}

/** `outer` is `inner` or a network around it. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  const around = partsOf(outer); // a copy: the shared record is needed for the other
  const inside = read(inner);
  return around.length <= inside.length && agree(around, inside, around.length);
}

/** The network of that length around the prefix; the prefix itself when it is that wide or wider already. */
export function widen(prefix: Prefix, length: number): Prefix {
  const words = read(prefix);
  if (length >= words.length) return prefix;
  return prefixOf(widenedWords(words, length));
}

/** Order of the wire: IPv4 first, then by address, then the wider first. */
export function comparePrefixes(first: Prefix, second: Prefix): number {
  return compareWords(partsOf(first), read(second)); // a copy: the shared record is needed for the other
}

/** The shared record of the scanner: read it before anything else scans. */
function read(prefix: Prefix): PrefixParts {
  if (!scanPrefix(prefix)) throw refusalOf(prefix);
  return scanned;
}

/** The canonical text of what was just scanned; an IPv4 text that passed is canonical but for a "/32". */
function canonical(text: string): Prefix {
  if (scanned.family === 6 || text.includes(":")) return textOfWords(scanned) as Prefix;
  return (text.endsWith("/32") ? text.slice(0, -3) : text) as Prefix;
}
