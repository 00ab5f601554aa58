/** What differs between the prefixes that a feed named and those that it names now. Pure. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { FeedEntry } from "./feed.ts";
import { inOrder } from "./in-order.ts";

export interface EntryMoves {
  /** New, or with another confidence. */
  readonly put: readonly FeedEntry[];
  readonly gone: readonly Prefix[];
}

export function entryMoves(previous: ReadonlyMap<Prefix, number>, entries: readonly FeedEntry[]): EntryMoves {
  const put = inOrder(
    entries.filter(({ prefix, confidence }) => previous.get(prefix) !== confidence),
    ({ prefix }) => prefix,
  );
  const named = new Set<Prefix>();
  for (const { prefix } of entries) named.add(prefix);
  const gone = [...previous.keys()].filter((prefix) => !named.has(prefix));
  return { put, gone: inOrder(gone, (prefix) => prefix) };
}
