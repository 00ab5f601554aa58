/**
 * Which feed a list's packets are owed to. Pure.
 *
 * An agent tells packets by list and rank, and by name only the most hit listings. Those are owed to the feeds that name
 * them, in equal parts; the rest to the feeds by what part of the listings of that rank is theirs. Where one feed has a
 * rank to itself that is exact, else the best that can be known.
 */
export interface Counts {
  readonly packets: number;
  readonly bytes: number;
}

export interface NamedListing extends Counts {
  /** Numbers of the feeds that name it. */
  readonly feeds: readonly number[];
}

/** By feed; 0 = of none. The parts add up to the total. */
export function creditFeeds(
  total: Counts,
  named: readonly NamedListing[],
  shares: ReadonlyMap<number, number>,
): ReadonlyMap<number, Counts> {
  const packets = apportion(total.packets, owed("packets", total, named, shares));
  const bytes = apportion(total.bytes, owed("bytes", total, named, shares));
  const feeds = new Set([...packets.keys(), ...bytes.keys()]);
  return new Map([...feeds].map((feed) => [feed, { packets: packets.get(feed) ?? 0, bytes: bytes.get(feed) ?? 0 }]));
}

function owed(
  unit: keyof Counts,
  total: Counts,
  named: readonly NamedListing[],
  shares: ReadonlyMap<number, number>,
): Map<number, number> {
  const weights = new Map<number, number>();
  const add = (feed: number, weight: number) => weights.set(feed, (weights.get(feed) ?? 0) + weight);
  let rest = total[unit];
  for (const listing of named) {
    const feeds = listing.feeds.length === 0 ? [0] : listing.feeds;
    for (const feed of feeds) add(feed, listing[unit] / feeds.length);
    rest -= listing[unit];
  }
  const all = [...shares.values()].reduce((sum, share) => sum + share, 0);
  if (rest > 0 && all === 0) add(0, rest);
  if (rest > 0 && all > 0) for (const [feed, share] of shares) add(feed, (rest * share) / all);
  return weights;
}

/** Whole numbers that add up to `total`, in proportion; what rounding leaves goes to the largest. */
function apportion(total: number, weights: ReadonlyMap<number, number>): Map<number, number> {
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return new Map();
  if (all === 0) return new Map([[0, total]]);
  const sorted = [...weights].sort(([a, x], [b, y]) => y - x || a - b);
  const parts = new Map(sorted.map(([feed, weight]) => [feed, Math.floor(total * (weight / all))]));
  const left = total - [...parts.values()].reduce((sum, part) => sum + part, 0);
  const [largest] = sorted[0] ?? [0];
  parts.set(largest, (parts.get(largest) ?? 0) + left);
  return parts;
}
