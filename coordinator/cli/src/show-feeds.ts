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
    feed.quotaLimit === 0 ? "" : `${feed.quotaUsed} of ${feed.quotaLimit}`,
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
  { title: "named before", align: "right" },
];

/** What each stopped; by band of confidence as well where there are several. */
export function valueTable(feeds: readonly FeedStatus[], nowMs: number): string {
  const days = feeds[0]?.value?.days ?? 0;
  const rows = feeds.flatMap((feed) => valueRows(feed, nowMs));
  const offenders = humanCount(feeds[0]?.value?.newOffenders ?? 0);
  const title = `worth, by the packets dropped in ${days} days, and how many of ${offenders} new offenders it had named before`;
  return `${title}:\n${renderTable(VALUE_COLUMNS, rows)}`;
}

function valueRows({ name, value }: FeedStatus, nowMs: number): (readonly Cell[])[] {
  if (value === undefined) return [];
  const { entries, uniqueEntries, packets, lastHitAtMs, bands } = value;
  const last = humanMoment(lastHitAtMs, nowMs);
  const whole = [name, "", humanCount(entries), humanCount(uniqueEntries), humanCount(packets)];
  const byBand = bands.map((band) => {
    const { confidenceFrom: from, confidenceTo: to } = band;
    const confidence = from === to ? `${from}` : `${from} to ${to}`;
    const counts = [humanCount(band.entries), "", humanCount(band.packets), perThousand(band)];
    return ["", confidence, ...counts, "", humanCount(band.namedBefore)];
  });
  const before = partText(value.namedBefore, value.newOffenders);
  return [[...whole, perThousand(value), last, before], ...(bands.length > 1 ? byBand : [])];
}

/** `312 (26 %)`: would it have stopped them before their first attempt? */
function partText(part: number, whole: number): string {
  return whole === 0 ? "" : `${humanCount(part)} (${Math.round((part * 100) / whole)} %)`;
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
