/**
 * What a feed is worth: its entries, the packets that they stopped, and the offenders that it had named before the fleet
 * sighted them; whole and by band of confidence. Pure.
 */
import { feedRank } from "@fleetban/proto/model/listing";
import type { FeedBand, FeedValue } from "@fleetban/proto/wire/admin";
import type { FeedOverlap } from "./overlap-queries.ts";
import type { FeedEntries, FeedPackets } from "./value-queries.ts";

const CONFIDENCES = Array.from({ length: 101 }, (_, confidence) => confidence);

export interface KnownOfFeeds {
  readonly entries: readonly FeedEntries[];
  readonly packets: readonly FeedPackets[];
  readonly overlaps: readonly FeedOverlap[];
}

export function feedValue(feedNo: number, days: number, { entries, packets, overlaps }: KnownOfFeeds): FeedValue {
  const named = entries.filter((one) => one.feedNo === feedNo);
  const hit = packets.filter((one) => one.feedNo === feedNo);
  const before = overlaps.filter((one) => one.feedNo === feedNo);
  return {
    days,
    entries: sumOf(named.map((one) => one.entries)),
    uniqueEntries: sumOf(named.map((one) => one.unique)),
    packets: sumOf(hit.map((one) => one.packets)),
    bytes: sumOf(hit.map((one) => one.bytes)),
    lastHitAtMs: Math.max(0, ...hit.filter((one) => one.packets > 0).map((one) => one.lastAtMs)),
    bands: bandsOf(named, hit, before),
    newOffenders: sumOf(overlaps.filter((one) => one.feedNo === 0).map((one) => one.offenders)),
    namedBefore: sumOf(before.map((one) => one.offenders)),
  };
}

function bandsOf(
  named: readonly FeedEntries[],
  hit: readonly FeedPackets[],
  before: readonly FeedOverlap[],
): FeedBand[] {
  const ranks = new Set<number>([
    ...named.map(({ confidence }) => feedRank(confidence)),
    ...hit.map(({ rank }) => rank),
    ...before.map(({ rank }) => rank),
  ]);
  return [...ranks]
    .sort((a, b) => a - b)
    .map((rank) => {
      const confidences = CONFIDENCES.filter((confidence) => feedRank(confidence) === rank);
      const ofRank = hit.filter((one) => one.rank === rank);
      return {
        rank,
        confidenceFrom: confidences[0] ?? 0,
        confidenceTo: confidences.at(-1) ?? 0,
        entries: sumOf(named.filter(({ confidence }) => feedRank(confidence) === rank).map((one) => one.entries)),
        packets: sumOf(ofRank.map((one) => one.packets)),
        bytes: sumOf(ofRank.map((one) => one.bytes)),
        namedBefore: sumOf(before.filter((one) => one.rank === rank).map((one) => one.offenders)),
      };
    });
}

function sumOf(numbers: readonly number[]): number {
  return Math.min(
    Number.MAX_SAFE_INTEGER,
    numbers.reduce((sum, one) => sum + one, 0),
  );
}
