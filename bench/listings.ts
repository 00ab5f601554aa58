/** Made-up blocklists: random public IPv4 addresses, four in a hundred of them networks, the same for the same seed. */
import { seededRandom } from "@fleetban/kit/random";
import type { Listing, Rank } from "@fleetban/proto/model/listing";
import { type Prefix, prefixOf } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { UnixSeconds } from "@fleetban/proto/model/time";

const NETWORKS = 0.04;
const SHORTEST = 19;
const LENGTHS = 6; // /19 to /24
const FEED_RANK = 3 as Rank;
const OPEN_ENDED = 0 as UnixSeconds;

/** Distinct. */
export function madeUpPrefixes(count: number, seed: number): Prefix[] {
  const random = seededRandom(seed);
  const prefixes = new Set<Prefix>();
  while (prefixes.size < count) {
    const length = random.unit() < NETWORKS ? SHORTEST + Math.floor(random.unit() * LENGTHS) : 32;
    const host = 2 ** (32 - length);
    const a = Math.floor((random.unit() * 2 ** 32) / host) * host;
    const prefix = prefixOf({ family: 4, length, a, b: 0, c: 0, d: 0 });
    if (specialPurposeOf(prefix) === undefined) prefixes.add(prefix);
  }
  return [...prefixes];
}

export function listingOf(prefix: Prefix): Listing {
  return { prefix, until: OPEN_ENDED, rank: FEED_RANK, begun: OPEN_ENDED };
}
