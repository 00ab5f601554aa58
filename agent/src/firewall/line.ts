/**
 * Where the machine's capacity cuts its deny lists (PROTOCOL §6). Pure.
 *
 * The order is total and stable: rank, then bucket, a keyed draw within the rank, so that no range of addresses is
 * favored. Given the line, a list's sets are a function of its mirror alone (invariant 2).
 */
import type { Rank } from "@fleetban/proto/model/listing";

/** Exclusive: what is below it is enforced. Absent = nothing is cut. */
export interface Line {
  readonly rank: Rank;
  readonly bucket: number;
}

export interface Room {
  readonly capacity: number;
  /** Beyond the capacity, so that a fresh ban finds room before the cut makes it. */
  readonly reserve: number;
}

const BUCKETS = 256;

/** Listings by place. Counts may be negative while they are still being gathered. */
export class Histogram {
  readonly #countsByRank = new Map<number, Int32Array>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(rank: number, bucket: number, count: 1 | -1): void {
    let counts = this.#countsByRank.get(rank);
    if (counts === undefined) {
      counts = new Int32Array(BUCKETS);
      this.#countsByRank.set(rank, counts);
    }
    counts[bucket] = (counts[bucket] ?? 0) + count;
    this.#total += count;
  }

  countBelow(line: Line | undefined): number {
    if (line === undefined) return this.#total;
    let below = 0;
    for (const [rank, counts] of this.#countsByRank) {
      const to = rank < line.rank ? BUCKETS : rank === line.rank ? line.bucket : 0;
      for (let bucket = 0; bucket < to; bucket += 1) below += counts[bucket] ?? 0;
    }
    return below;
  }

  countAt(rank: number, bucket: number): number {
    return this.#countsByRank.get(rank)?.[bucket] ?? 0;
  }

  ranks(): readonly number[] {
    return [...this.#countsByRank.keys()];
  }
}

/** `histograms` = one a list. A line moves up only where that wins a whole reserve, so that it does not flap at the edge. */
export function nextLine(
  histograms: readonly Histogram[],
  room: Room,
  old: Line | undefined,
  mayGrow: boolean,
): Line | undefined {
  const countBelow = (line: Line | undefined) => histograms.reduce((sum, one) => sum + one.countBelow(line), 0);
  const present = countBelow(old);
  const fit = largestFit(histograms, room.capacity);
  if (present > room.capacity + room.reserve) return fit;
  const grows = mayGrow && isHigher(fit, old) && countBelow(fit) - present >= room.reserve;
  return grows ? fit : old;
}

export function isBelow(line: Line | undefined, rank: number, bucket: () => number): boolean {
  if (line === undefined || rank < line.rank) return true;
  return rank === line.rank && bucket() < line.bucket;
}

export function isHigher(one: Line | undefined, other: Line | undefined): boolean {
  if (other === undefined || one === undefined) return one === undefined && other !== undefined;
  return one.rank > other.rank || (one.rank === other.rank && one.bucket > other.bucket);
}

function largestFit(histograms: readonly Histogram[], capacity: number): Line | undefined {
  const ranks = [...new Set(histograms.flatMap((one) => one.ranks()))].sort((a, b) => a - b);
  let below = 0;
  for (const rank of ranks) {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      below += histograms.reduce((sum, one) => sum + one.countAt(rank, bucket), 0);
      if (below > capacity) return { rank: rank as Rank, bucket };
    }
  }
  return undefined;
}
