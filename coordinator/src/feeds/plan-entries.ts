/** What differs between the prefixes that a feed named and those that it names now. Pure. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { FeedEntry } from "./feed.ts";

export interface EntryMoves {
  /** New, or with another confidence. */
  readonly put: readonly FeedEntry[];
  readonly gone: readonly Prefix[];
}

export function planEntries(previous: ReadonlyMap<Prefix, number>, entries: readonly FeedEntry[]): EntryMoves {
  const put = entries.filter(({ prefix, confidence }) => previous.get(prefix) !== confidence);
  const named = new Set<Prefix>();
  for (const { prefix } of entries) named.add(prefix);
  return { put, gone: [...previous.keys()].filter((prefix) => !named.has(prefix)) };
}
