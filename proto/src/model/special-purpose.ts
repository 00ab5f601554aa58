/**
 * Ranges that are never listed, whoever says so (keeps invariant 5).
 *
 * From the IANA special-purpose address registries (RFC 6890 and successors) everything that is not globally
 * reachable, the multicast registries, and all IPv6 outside of global unicast. Checked by the policy and by agents.
 */
import { type Prefix, type PrefixParts, parsePrefix, partsOf } from "./prefix.ts";
import { agree, type Family, type PrefixWords } from "./prefix-words.ts";

export interface SpecialPurpose {
  readonly range: Prefix;
  readonly name: string;
}

interface SpecialRange extends SpecialPurpose {
  readonly parts: PrefixParts;
}

/** The first that fits is told, so the narrower of two comes first. */
const SPECIAL: readonly SpecialRange[] = [
  // https://www.iana.org/assignments/iana-ipv4-special-registry
  special("0.0.0.0/8", "this network, RFC 791"),
  special("10.0.0.0/8", "private use, RFC 1918"),
  special("100.64.0.0/10", "shared address space, RFC 6598"),
  special("127.0.0.0/8", "loopback, RFC 1122"),
  special("169.254.0.0/16", "link local, RFC 3927"),
  special("172.16.0.0/12", "private use, RFC 1918"),
  // Its two global anycast addresses (.9, .10) serve everybody and attack nobody: the range stays whole.
  special("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),
  special("192.0.2.0/24", "documentation, RFC 5737"),
  special("192.88.99.0/24", "deprecated 6to4 relay anycast, RFC 7526"),
  special("192.168.0.0/16", "private use, RFC 1918"),
  special("198.18.0.0/15", "benchmarking, RFC 2544"),
  special("198.51.100.0/24", "documentation, RFC 5737"),
  special("203.0.113.0/24", "documentation, RFC 5737"),
  special("224.0.0.0/4", "multicast, RFC 5771"),
  special("255.255.255.255", "limited broadcast, RFC 919"),
  special("240.0.0.0/4", "reserved, RFC 1112"),
  // https://www.iana.org/assignments/iana-ipv6-special-registry (::ffff:0:0/96 is IPv4 here)
  special("::1", "loopback, RFC 4291"),
  special("::", "unspecified, RFC 4291"),
  special("64:ff9b::/96", "IPv4-IPv6 translation, RFC 6052"),
  special("64:ff9b:1::/48", "IPv4-IPv6 translation, RFC 8215"),
  special("100::/64", "discard only, RFC 6666"),
  special("100:0:0:1::/64", "dummy prefix, RFC 9780"),
  special("2001::/32", "Teredo, RFC 4380"),
  special("2001:2::/48", "benchmarking, RFC 5180"),
  special("2001:10::/28", "deprecated ORCHID, RFC 4843"),
  special("2001:db8::/32", "documentation, RFC 3849"),
  special("2001::/23", "IETF protocol assignments, RFC 2928"),
  special("2002::/16", "6to4, RFC 3056"),
  special("3fff::/20", "documentation, RFC 9637"),
  special("5f00::/16", "segment routing, RFC 9602"),
  special("fc00::/7", "unique local, RFC 4193"),
  special("fe80::/10", "link local, RFC 4291"),
  special("fec0::/10", "deprecated site local, RFC 3879"),
  special("ff00::/8", "multicast, RFC 4291"),
  // RFC 4291 2.4, https://www.iana.org/assignments/ipv6-address-space: only 2000::/3 is given out
  special("::/3", "outside of global unicast, RFC 4291"),
  special("4000::/2", "outside of global unicast, RFC 4291"),
  special("8000::/1", "outside of global unicast, RFC 4291"),
];

const FIRST_BITS = { 4: 8, 6: 16 } as const;
const NEAR: Readonly<Record<Family, Uint8Array>> = { 4: nearTable(4), 6: nearTable(6) };

/** Globally reachable by a more specific registration inside 2001::/23. */
const GLOBAL: readonly PrefixParts[] = [
  "2001:1::1", // port control protocol anycast, RFC 7723
  "2001:1::2", // TURN anycast, RFC 8155
  "2001:1::3", // DNS-SD registration anycast, RFC 9665
  "2001:3::/32", // AMT, RFC 7450
  "2001:4:112::/48", // AS112-v6, RFC 7535
  "2001:20::/28", // ORCHIDv2, RFC 7343
  "2001:30::/28", // drone remote id, RFC 9374
].map(rangeParts);

/** Ranges that the probe's list is confined to (PROTOCOL: `documentation_only`). */
const DOCUMENTATION: readonly PrefixParts[] = [
  "192.0.2.0/24",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "2001:db8::/32",
].map(rangeParts);

/** The special-purpose range that the prefix overlaps, inside or around it. */
export function specialPurposeOf(prefix: Prefix): SpecialPurpose | undefined {
  const parts = partsOf(prefix);
  if (!isNearSpecial(parts)) return undefined;
  const found = SPECIAL.find((range) => agree(range.parts, parts, Math.min(range.parts.length, parts.length)));
  if (found === undefined || isInsideOne(GLOBAL, parts)) return undefined;
  return { range: found.range, name: found.name };
}

/** Whether `specialPurposeOf` has to look: most prefixes share their first bits with no special-purpose range. */
export function isNearSpecial({ family, length, a }: Readonly<PrefixWords>): boolean {
  const bits = FIRST_BITS[family];
  return length < bits || (NEAR[family][a >>> (32 - bits)] ?? 1) === 1;
}

function nearTable(family: Family): Uint8Array {
  const bits = FIRST_BITS[family];
  const table = new Uint8Array(2 ** bits);
  for (const { parts } of SPECIAL.filter((range) => range.parts.family === family)) {
    const first = parts.a >>> (32 - bits);
    table.fill(1, first, first + 2 ** Math.max(0, bits - parts.length));
  }
  return table;
}

/** Wholly inside a documentation range: what a probe may put into a kernel. */
export function isDocumentation(prefix: Prefix): boolean {
  return isInsideOne(DOCUMENTATION, partsOf(prefix));
}

function isInsideOne(ranges: readonly PrefixParts[], parts: PrefixParts): boolean {
  return ranges.some((range) => range.length <= parts.length && agree(range, parts, range.length));
}

function special(text: string, name: string): SpecialRange {
  const range = parsePrefix(text);
  return { range, name, parts: partsOf(range) };
}

function rangeParts(text: string): PrefixParts {
  return partsOf(parsePrefix(text));
}
