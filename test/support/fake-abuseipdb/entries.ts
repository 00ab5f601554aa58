/**
 * A made-up blacklist of a given length: the same for the same seed, all globally routable, one in twenty-five an IPv6
 * address, half of the IPv4 ones crowded into few /24 networks, as in real lists.
 */
import type { BlacklistEntry } from "./blacklist.ts";

const COUNTRIES = ["CN", "US", "RU", "NL", "VN", "BR", "IN", "DE"];
const REPORTED_MS = Date.UTC(2026, 0, 1);
/** First octets that lie in no special-purpose range, as a whole. */
const FIRST_OCTETS = [
  5, 23, 31, 37, 41, 45, 58, 61, 77, 80, 89, 91, 103, 109, 117, 122, 139, 152, 161, 178, 185, 193, 212,
];

/** At confidence 100, unless `scoreOf` says otherwise for the entry of that position. */
export function madeUpEntries(
  count: number,
  seed = 1,
  scoreOf: (index: number) => number = () => 100,
): BlacklistEntry[] {
  const draw = drawsFrom(seed);
  const byAddress = new Map<string, BlacklistEntry>();
  while (byAddress.size < count) {
    const index = byAddress.size;
    const ipAddress = index % 25 === 24 ? v6Address(draw) : v4Address(draw);
    const entry: BlacklistEntry = {
      ipAddress,
      countryCode: COUNTRIES[draw(COUNTRIES.length)] ?? null,
      abuseConfidenceScore: scoreOf(index),
      lastReportedAt: new Date(REPORTED_MS - index * 1_000).toISOString().replace(/\.\d{3}Z$/, "+00:00"),
    };
    byAddress.set(ipAddress, entry);
  }
  return [...byAddress.values()];
}

function v4Address(draw: (below: number) => number): string {
  const first = FIRST_OCTETS[draw(FIRST_OCTETS.length)] ?? 5;
  const crowded = draw(2) === 0;
  return [first, crowded ? draw(4) : draw(250), crowded ? draw(16) : draw(256), 1 + draw(254)].join(".");
}

function v6Address(draw: (below: number) => number): string {
  const word = () => (draw(0xffff) + 1).toString(16);
  return `2a0${1 + draw(9)}:${word()}:${word()}:${word()}:${word()}:${word()}:${word()}:${word()}`;
}

/** Mulberry32: enough for a list that only has to look scattered. */
function drawsFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
