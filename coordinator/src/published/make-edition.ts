/**
 * Makes an edition of lists that were copied at one point of the ledger's history, in turns with whatever else waits: a
 * million listings take a second or two, and nobody is to notice.
 */
import { finishInTurns, type Slices } from "@fleetban/kit/slices";
import type { Turns } from "@fleetban/kit/turns";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { FAMILIES, type ListingColumns, type PrefixColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { isNearSpecial, specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { carve } from "./carve.ts";
import { ColumnBuilder } from "./column-builder.ts";
import { mergeLists } from "./merge-lists.ts";
import { onlyThose } from "./only-those.ts";

/** A list's sorted columns, and which of its prefixes may be published; undefined = all. */
export interface ListPart {
  readonly families: readonly ListingColumns[];
  readonly only: readonly PrefixColumns[] | undefined;
}

export interface Made {
  readonly families: readonly ListingColumns[];
  readonly goodUntil: UnixSeconds;
  readonly leftOut: number;
}

const SLICE_ROWS = 1_024;

export async function makeEdition(
  lists: readonly ListPart[],
  exempt: readonly ListingColumns[],
  now: UnixSeconds,
  turns: Turns,
): Promise<Made> {
  const families: ListingColumns[] = [];
  let [goodUntil, leftOut] = [0 as UnixSeconds, 0];
  for (const [at, family] of FAMILIES.entries()) {
    const wanted: ListingColumns[] = [];
    for (const { families: all, only } of lists) {
      const columns = all[at] as ListingColumns;
      const allowed = only?.[at];
      wanted.push(allowed === undefined ? columns : await finishInTurns(onlyThose(columns, allowed), turns));
    }
    const merged = await finishInTurns(mergeLists(family, wanted, now), turns);
    const holes = await finishInTurns(mergeLists(family, [exempt[at] as ListingColumns], now), turns);
    const carved = await finishInTurns(carve(merged, holes), turns);
    const columns = await finishInTurns(withoutSpecial(carved.columns), turns);
    families.push(columns);
    leftOut += carved.leftOut;
    for (const ending of [columns, holes]) {
      goodUntil = soonest(goodUntil, await finishInTurns(soonestEnd(ending), turns));
    }
  }
  return { families, goodUntil, leftOut };
}

/** The ledger lists none; whoever takes a published list has no second look as agents have (keeps invariant 5). */
function* withoutSpecial(columns: ListingColumns): Slices<ListingColumns> {
  const words = blankWords();
  const special = new Set<number>();
  for (let row = 0; row < columns.count; row += 1) {
    readPrefix(columns, row, words);
    if (isNearSpecial(words) && specialPurposeOf(textOfWords(words) as Prefix) !== undefined) special.add(row);
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
  }
  if (special.size === 0) return columns;
  const kept = new ColumnBuilder(columns.family, columns.count);
  for (let row = 0; row < columns.count; row += 1) {
    readPrefix(columns, row, words);
    if (!special.has(row)) kept.push(words, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
  }
  return kept.finish();
}

/** 0 = none ends by itself. */
function* soonestEnd({ untils, count }: ListingColumns): Slices<UnixSeconds> {
  let found = 0 as UnixSeconds;
  for (let row = 0; row < count; row += 1) {
    found = soonest(found, (untils[row] ?? 0) as UnixSeconds);
    if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
  }
  return found;
}

function soonest(one: UnixSeconds, other: UnixSeconds): UnixSeconds {
  if (one === 0) return other;
  return other === 0 || one < other ? one : other;
}
