/** Reports of hits as they travel: a message a list, each within what a coordinator takes. */
import type { ListNo } from "@fleetban/proto/model/listing";
import { prefixColumns, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { Hits, HitTop } from "@fleetban/proto/wire/fleet";
import { encodePrefixes } from "@fleetban/proto/wire/prefixes";
import type { NamedHit, TakenHits } from "./hit-sums.ts";

export interface HitsPeriod {
  /** Unix milliseconds of this machine's clock. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

export function hitsMessages({ totals, top }: TakenHits, { sinceMs, untilMs }: HitsPeriod): readonly Hits[] {
  const lists = new Set<ListNo>([...totals.map(({ list }) => list), ...top.keys()]);
  return [...lists].map((list) => ({
    sinceMs: Math.round(sinceMs),
    untilMs: Math.round(untilMs),
    totals: totals.filter((total) => total.list === list).map(({ rank, counts }) => ({ list, rank, ...counts })),
    top: topOf(list, top.get(list) ?? []),
  }));
}

function topOf(list: ListNo, hits: readonly NamedHit[]): HitTop[] {
  if (hits.length === 0) return [];
  const byPrefix = new Map(hits.map(({ prefix, counts }) => [prefix, counts]));
  const columns = prefixColumns(byPrefix.keys());
  const sorted = Array.from(prefixesOf(columns), (prefix) => byPrefix.get(prefix));
  return [
    {
      list,
      prefixes: encodePrefixes(columns),
      packets: sorted.map((counts) => counts?.packets ?? 0),
      bytes: sorted.map((counts) => counts?.bytes ?? 0),
    },
  ];
}
