/** What a feed is worth: its entries, and the packets that they stopped, whole and by band of confidence. Pure. */
import { feedRank } from "@fleetban/proto/model/listing";
import type { FeedBand, FeedValue } from "@fleetban/proto/wire/admin";
import type { FeedEntries, FeedPackets } from "./value-queries.ts";

const CONFIDENCES = Array.from({ length: 101 }, (_, confidence) => confidence);

export function feedValue(
  feedNo: number,
  days: number,
  { entries, packets }: { readonly entries: readonly FeedEntries[]; readonly packets: readonly FeedPackets[] },
): FeedValue {
  const named = entries.filter((one) => one.feedNo === feedNo);
  const hit = packets.filter((one) => one.feedNo === feedNo);
  return {
    days,
    entries: sumOf(named.map((one) => one.entries)),
    uniqueEntries: sumOf(named.map((one) => one.unique)),
    packets: sumOf(hit.map((one) => one.packets)),
    bytes: sumOf(hit.map((one) => one.bytes)),
    lastHitAtMs: Math.max(0, ...hit.filter((one) => one.packets > 0).map((one) => one.lastAtMs)),
    bands: bandsOf(named, hit),
  };
}

function bandsOf(named: readonly FeedEntries[], hit: readonly FeedPackets[]): FeedBand[] {
  const ranks = new Set<number>([
    ...named.map(({ confidence }) => feedRank(confidence)),
    ...hit.map(({ rank }) => rank),
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
      };
    });
}

function sumOf(numbers: readonly number[]): number {
  return Math.min(
    Number.MAX_SAFE_INTEGER,
    numbers.reduce((sum, one) => sum + one, 0),
  );
}
