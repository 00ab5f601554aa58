/**
 * What a bouncer may have been told once and is not published now, where nobody remembers what it was told: after a restart,
 * or when it asks another replica. Computed from the ledger's change log; telling too much does no harm.
 *
 * What was published of a listing is the listing or, where something in it was exempt, the networks beside the ways down to
 * the exempt prefixes: so whatever a change of the one or the other can have made disappear can be listed.
 */
import type { Slices } from "@fleetban/kit/slices";
import { isSingle, type Prefix, partsOf } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { agree, blankWords, type PrefixWords, widenedWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { halvesOf } from "../carve.ts";
import { lowerBound, rowsAround, rowsInside } from "./find-rows.ts";
import type { Touched } from "./withdrawn-queries.ts";

export interface Sources {
  /** Each list's columns, by family. */
  readonly lists: readonly (readonly ListingColumns[])[];
  readonly exempt: readonly ListingColumns[];
}

export const WITHDRAWN_MAX = 200_000;

export interface Published {
  readonly families: readonly ListingColumns[];
  /** The bouncer is told of nothing above it. */
  readonly maxRank: number;
}

const SLICE_PREFIXES = 256;

/** Not in what is published; at most `WITHDRAWN_MAX`. */
export function* withdrawnPrefixes(
  { listed, exempted }: Touched,
  { lists, exempt }: Sources,
  published: Published,
): Slices<Prefix[]> {
  const found = new Set<Prefix>();
  const add = (words: Readonly<PrefixWords>) => {
    if (found.size < WITHDRAWN_MAX) found.add(textOfWords(words) as Prefix);
  };
  const wide = listed.filter((prefix) => !isSingle(prefix)).map((prefix) => partsOf(prefix));
  const holes = exempted.map((prefix) => partsOf(prefix));
  for (const prefix of listed) add(partsOf(prefix));
  yield;
  for (const hole of holes) {
    add(hole);
    for (const columns of lists.map((families) => columnsOf(families, hole))) {
      for (const row of rowsInside(columns, hole)) add(wordsAt(columns, row));
      for (const row of rowsAround(columns, hole)) addBesides(wordsAt(columns, row), hole, add);
    }
    yield;
  }
  for (const listing of wide) {
    const columns = columnsOf(exempt, listing);
    for (const row of rowsInside(columns, listing)) addBesides(listing, wordsAt(columns, row), add);
    for (const hole of holes) addBesides(listing, hole, add);
    yield;
  }
  const gone: Prefix[] = [];
  let looked = 0;
  for (const prefix of found) {
    if (!isIn(published, partsOf(prefix))) gone.push(prefix);
    looked += 1;
    if (looked % SLICE_PREFIXES === 0) yield;
  }
  return gone;
}

/** The listing itself, and the networks beside the way from it down to the hole. */
function addBesides(
  listing: Readonly<PrefixWords>,
  hole: Readonly<PrefixWords>,
  add: (words: Readonly<PrefixWords>) => void,
): void {
  if (hole.length <= listing.length || !agree(listing, hole, listing.length)) return;
  add(listing);
  for (let length = listing.length; length < hole.length; length += 1) {
    const [low, high] = halvesOf(widenedWords(hole, length));
    add(agree(low, hole, low.length) ? high : low);
  }
}

function isIn({ families, maxRank }: Published, prefix: Readonly<PrefixWords>): boolean {
  const columns = columnsOf(families, prefix);
  const row = lowerBound(columns, prefix);
  if (row >= columns.count) return false;
  const there = wordsAt(columns, row);
  const isThere = there.length === prefix.length && agree(there, prefix, prefix.length);
  return isThere && (columns.ranks[row] ?? 0) <= maxRank;
}

function columnsOf(families: readonly ListingColumns[], { family }: Readonly<PrefixWords>): ListingColumns {
  const columns = families.find((candidate) => candidate.family === family);
  if (columns === undefined) throw new Error(`internal error: no columns of family ${family}`);
  return columns;
}

function wordsAt(columns: ListingColumns, row: number): PrefixWords {
  const words = blankWords();
  readPrefix(columns, row, words);
  return words;
}
