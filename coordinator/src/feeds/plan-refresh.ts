/**
 * The brakes of a feed: may this list replace the one before, or must an operator look first?
 *
 * A feed that suddenly shrinks or explodes, or names networks of absurd width, is more likely broken or taken over than
 * right (keeps invariant 5). Judged over the whole list before the first of its listings changes.
 */
import { familyOf, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";
import type { FeedEntry } from "./feed.ts";

export type RefreshPlan =
  | { readonly kind: "replace"; readonly entries: readonly FeedEntry[]; readonly tooWide: number }
  | { readonly kind: "hold"; readonly entries: readonly FeedEntry[]; readonly reason: string };

/** Below so many entries a half or a double says nothing. */
const BRAKE_FROM_ENTRIES = 20;
const SHRINK_RATIO = 0.5;
const GROW_RATIO = 2;
/** Shorter ones are never taken; from a feed nobody means a 256th of the internet. */
const NEVER_SHORTER = { 4: 8, 6: 19 } as const;
/** Shorter ones need an operator, unless the feed had them before. */
const HELD_SHORTER = { 4: 16, 6: 32 } as const;

export function planRefresh(previous: ReadonlySet<Prefix>, wanted: readonly FeedEntry[]): RefreshPlan {
  const entries = wanted.filter(({ prefix }) => lengthOf(prefix) >= NEVER_SHORTER[familyOf(prefix)]);
  const reason = sizeReason(previous.size, entries.length) ?? widthReason(previous, entries);
  if (reason !== undefined) return { kind: "hold", entries, reason };
  return { kind: "replace", entries, tooWide: wanted.length - entries.length };
}

function sizeReason(before: number, after: number): string | undefined {
  if (before > 0 && after === 0) return `the list would be emptied, it had ${before} entries`;
  if (before < BRAKE_FROM_ENTRIES) return undefined;
  if (after < before * SHRINK_RATIO) return `the list shrinks to less than half: ${after} entries, it had ${before}`;
  if (after > before * GROW_RATIO) return `the list grows to more than double: ${after} entries, it had ${before}`;
  return undefined;
}

function widthReason(previous: ReadonlySet<Prefix>, entries: readonly FeedEntry[]): string | undefined {
  const isWide = ({ prefix }: FeedEntry) => lengthOf(prefix) < HELD_SHORTER[familyOf(prefix)] && !previous.has(prefix);
  const wide = entries.filter(isWide);
  const [first] = wide;
  return first === undefined ? undefined : `${wide.length} new networks are wide, ${first.prefix} the first of them`;
}
