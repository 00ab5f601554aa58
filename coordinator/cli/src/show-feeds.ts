/** Feeds as rows of a table. */
import { type Cell, type Column, humanCount, humanMoment } from "@fleetban/kit/cli-output";
import type { FeedStatus } from "@fleetban/proto/wire/admin";

export const FEED_COLUMNS: readonly Column[] = [
  { title: "feed" },
  { title: "mode" },
  { title: "entries", align: "right" },
  { title: "made" },
  { title: "fetched" },
  { title: "next" },
  { title: "calls today", align: "right" },
  { title: "outcome" },
];

export function feedRow(feed: FeedStatus, nowMs: number): readonly Cell[] {
  const hold = feed.holdNo === 0 ? "" : `, held as ${feed.holdNo}`;
  return [
    feed.name,
    feed.mode,
    humanCount(feed.entries),
    humanMoment(feed.generatedAtMs, nowMs),
    humanMoment(feed.fetchedAtMs, nowMs),
    humanMoment(feed.nextAtMs, nowMs),
    `${feed.quotaUsed} of ${feed.quotaLimit}`,
    `${feed.outcome}${hold}`,
  ];
}
