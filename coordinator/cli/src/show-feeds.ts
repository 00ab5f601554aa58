/** Feeds as rows of a table. */
import { type Cell, type Column, humanCount, humanMoment, plain, renderTable } from "@fleetban/kit/cli-output";
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

const VALUE_COLUMNS: readonly Column[] = [
  { title: "feed" },
  { title: "confidence" },
  { title: "entries", align: "right" },
  { title: "unique", align: "right" },
  { title: "packets", align: "right" },
  { title: "per 1 000 entries", align: "right" },
  { title: "last hit" },
];

/** What each stopped; by band of confidence as well where there are several. */
export function valueTable(feeds: readonly FeedStatus[], nowMs: number): string {
  const days = feeds[0]?.value?.days ?? 0;
  const rows = feeds.flatMap((feed) => valueRows(feed, nowMs));
  return `worth, by the packets dropped in ${days} days:\n${renderTable(VALUE_COLUMNS, rows)}`;
}

function valueRows({ name, value }: FeedStatus, nowMs: number): (readonly Cell[])[] {
  if (value === undefined) return [];
  const { entries, uniqueEntries, packets, lastHitAtMs, bands } = value;
  const last = humanMoment(lastHitAtMs, nowMs);
  const whole = [name, "", humanCount(entries), humanCount(uniqueEntries), humanCount(packets)];
  const byBand = bands.map((band) => {
    const { confidenceFrom: from, confidenceTo: to } = band;
    const confidence = from === to ? `${from}` : `${from} to ${to}`;
    return ["", confidence, humanCount(band.entries), "", humanCount(band.packets), perThousand(band), ""];
  });
  return [[...whole, perThousand(value), last], ...(bands.length > 1 ? byBand : [])];
}

function perThousand({ packets, entries }: { packets: number; entries: number }): string {
  return entries === 0 ? "" : humanCount(Math.round((packets * 1_000) / entries));
}

/** What is protected stays so, whatever feeds name; a feed that names much of it is a bad feed. */
export function collisionLines(feeds: readonly FeedStatus[]): string {
  const lines = feeds.flatMap(({ name, mode, collisions }) => {
    if (collisions === "") return [];
    return [`${name} names what is never listed${mode === "observe" ? " (observed only)" : ""}: ${plain(collisions)}`];
  });
  return lines.length === 0 ? "" : `\n\n${lines.join("\n")}`;
}
