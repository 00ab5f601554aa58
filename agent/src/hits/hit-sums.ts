/**
 * What was hit and is not reported yet: a sum a list and rank, and a sum a prefix as long as there is room.
 *
 * It goes on while no coordinator is there. A report takes the totals whole and the most hit prefixes of each list; the
 * others it leaves to the totals. Listings without an end are named all of them, over several reports if they must: the
 * coordinator ends those that nobody tries any more.
 */
import type { ListNo, Rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { addCounts, type Counts, NO_COUNTS } from "./counts.ts";

export interface Hit {
  readonly list: ListNo;
  readonly rank: Rank;
  readonly prefix: Prefix;
  readonly isOpenEnded: boolean;
  readonly counts: Counts;
}

export interface ListTotal {
  readonly list: ListNo;
  readonly rank: Rank;
  readonly counts: Counts;
}

export interface NamedHit {
  readonly prefix: Prefix;
  readonly counts: Counts;
}

export interface TakenHits {
  readonly totals: readonly ListTotal[];
  readonly top: ReadonlyMap<ListNo, readonly NamedHit[]>;
}

export interface HitSums {
  add(hit: Hit): void;
  /** A list's `most` hit prefixes, and at most `openEndedMost` further ones of its open-ended. */
  take(most: number, openEndedMost: number): TakenHits | undefined;
}

interface PrefixSum extends NamedHit {
  readonly isOpenEnded: boolean;
}

/** Prefixes that are summed one by one, a list; what else is hit counts for the totals only. */
const MAX_PREFIXES = 20_000;

export function createHitSums(): HitSums {
  let totals = new Map<string, ListTotal>();
  let byList = new Map<ListNo, Map<Prefix, PrefixSum>>();

  return {
    add({ list, rank, prefix, isOpenEnded, counts }) {
      const key = `${list} ${rank}`;
      totals.set(key, { list, rank, counts: addCounts(totals.get(key)?.counts ?? NO_COUNTS, counts) });
      const sums = byList.get(list) ?? new Map<Prefix, PrefixSum>();
      byList.set(list, sums);
      const known = sums.get(prefix);
      if (known === undefined && sums.size >= MAX_PREFIXES) return;
      sums.set(prefix, { prefix, isOpenEnded, counts: addCounts(known?.counts ?? NO_COUNTS, counts) });
    },
    take(most, openEndedMost) {
      const top = new Map<ListNo, readonly NamedHit[]>();
      const left = new Map<ListNo, Map<Prefix, PrefixSum>>();
      for (const [list, sums] of byList) {
        const sorted = [...sums.values()].sort((a, b) => b.counts.packets - a.counts.packets);
        const openEnded = sorted.slice(most).filter((sum) => sum.isOpenEnded);
        const named = openEnded.slice(0, openEndedMost);
        const later = openEnded.slice(openEndedMost);
        if (sorted.length > 0) top.set(list, [...sorted.slice(0, most), ...named]);
        if (later.length > 0) left.set(list, new Map(later.map((sum) => [sum.prefix, sum])));
      }
      const taken = { totals: [...totals.values()], top };
      totals = new Map();
      byList = left;
      return taken.totals.length === 0 && top.size === 0 ? undefined : taken;
    },
  };
}
