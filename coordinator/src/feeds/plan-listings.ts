/**
 * What the feeds want listed, and what must change on their list for that; pure, so that a plan may be made again and again.
 *
 * Nothing here depends on how often or when it is asked: an extension is decided by the time of the fetch, not of the
 * asking. A refresh that was interrupted is therefore found again by making the same plan anew, and a fetch that brought
 * nothing new changes nothing.
 */
import { feedRank, type Rank, rank } from "@fleetban/proto/model/listing";
import { familyOf, isSingle, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { unixSeconds } from "@fleetban/proto/model/time";
import { isExpired, isOpenEnded } from "@fleetban/proto/model/until";
import type { PrefixCover } from "./prefix-cover.ts";

/** One prefix that one feed in force names. */
export interface FeedWish {
  readonly prefix: Prefix;
  readonly feed: string;
  readonly confidence: number;
  /** The last good fetch that named it. */
  readonly fetchedAt: UnixSeconds;
  readonly staleAfterSeconds: number;
}

export interface WantedListing {
  readonly until: UnixSeconds;
  readonly rank: Rank;
  /** Names of the feeds, sorted. */
  readonly feeds: readonly string[];
  /** A listing that ends before this is extended. */
  readonly extendBefore: UnixSeconds;
}

export interface PresentListing {
  readonly until: UnixSeconds;
  readonly rank: Rank;
  readonly feeds: readonly string[];
}

export interface ListingChange {
  readonly prefix: Prefix;
  readonly to: { readonly until: UnixSeconds; readonly rank: Rank; readonly feeds: readonly string[] } | undefined;
}

/** PROTOCOL rule 11: an IPv6 address stands for its /64. */
export const V6_NETWORK = { family: 6, length: 64 } as const;

/** By prefix as it is to be listed. `exempt` = allowed, pardoned, protected: nothing on it is listed, nor a /64 around it. */
export function wantedListings(
  wishes: Iterable<FeedWish>,
  exempt: PrefixCover,
  now: UnixSeconds,
): Map<Prefix, WantedListing> {
  const wanted = new Map<Prefix, WantedListing>();
  for (const wish of wishes) {
    const until = unixSeconds(wish.fetchedAt + wish.staleAfterSeconds);
    const prefix = listedAs(wish.prefix, exempt);
    if (prefix === undefined || isExpired(until, now)) continue;
    wanted.set(prefix, joined(wanted.get(prefix), wish, until));
  }
  return wanted;
}

/** In the order of `wanted`, removals last. */
export function planListings(
  wanted: ReadonlyMap<Prefix, WantedListing>,
  present: ReadonlyMap<Prefix, PresentListing>,
): ListingChange[] {
  const puts = [...wanted].flatMap(([prefix, wish]) => planPut(prefix, wish, present.get(prefix)) ?? []);
  const removals = [...present.keys()].filter((prefix) => !wanted.has(prefix));
  return [...puts, ...removals.map((prefix) => ({ prefix, to: undefined }))];
}

function planPut(
  prefix: Prefix,
  wanted: WantedListing,
  present: PresentListing | undefined,
): ListingChange | undefined {
  const { until: end, rank: wantedRank, feeds } = wanted;
  if (present === undefined) return { prefix, to: { until: end, rank: wantedRank, feeds } };
  const isLongEnough = isOpenEnded(present.until) || !isExpired(present.until, wanted.extendBefore);
  const until = isLongEnough ? present.until : end;
  const isSame = until === present.until && wantedRank === present.rank && String(feeds) === String(present.feeds);
  return isSame ? undefined : { prefix, to: { until, rank: wantedRank, feeds } };
}

function listedAs(prefix: Prefix, exempt: PrefixCover): Prefix | undefined {
  if (exempt.isCovered(prefix)) return undefined;
  if (familyOf(prefix) === 4 || !isSingle(prefix)) return prefix;
  const network = widen(prefix, V6_NETWORK.length);
  return exempt.isTouched(network) ? prefix : network;
}

/** Several wishes for one listing: the best rank, the latest end, all their feeds. */
function joined(earlier: WantedListing | undefined, wish: FeedWish, until: UnixSeconds): WantedListing {
  const own = feedRank(wish.confidence);
  const extendBefore = unixSeconds(wish.fetchedAt + Math.ceil(wish.staleAfterSeconds / 2));
  if (earlier === undefined) return { until, rank: own, feeds: [wish.feed], extendBefore };
  const isLater = until > earlier.until;
  return {
    until: isLater ? until : earlier.until,
    rank: rank(Math.min(own, earlier.rank)),
    feeds: earlier.feeds.includes(wish.feed) ? earlier.feeds : [...earlier.feeds, wish.feed].sort(),
    extendBefore: isLater ? extendBefore : earlier.extendBefore,
  };
}
