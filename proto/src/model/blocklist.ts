/**
 * One list at one revision as a value in memory: the ledger's head, the agent's mirror.
 *
 * Columns in typed arrays, a million listings in tens of MB, with the digest kept up by every change (invariant 2).
 * Knows no clock: expired listings stay until they are removed.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { finish, type Slices } from "@fleetban/kit/slices";
import { type Digest, type DigestKey, DigestSum, EMPTY_DIGEST } from "./digest.ts";
import { type Listing, type ListNo, MAX_RANK, type Rank } from "./listing.ts";
import type { Prefix } from "./prefix.ts";
import { scanned, scanPrefix } from "./prefix-scan.ts";
import { PrefixTable } from "./prefix-table.ts";
import { textOfWords } from "./prefix-text.ts";
import { blankWords, type Family, type PrefixWords } from "./prefix-words.ts";
import { FAMILIES, type ListingColumns, listingsOf } from "./sorted-columns.ts";
import { sortedColumnsOf, unsortedColumnsOf } from "./table-order.ts";
import type { UnixSeconds } from "./time.ts";
import { MAX_UNTIL } from "./until.ts";

/** What a blocklist stands on: a table a family, and the digest of both together. */
export interface BlocklistParts {
  readonly tables: Readonly<Record<Family, PrefixTable>>;
  readonly digest: Digest;
}

export class Blocklist {
  readonly list: ListNo;
  readonly key: DigestKey;
  readonly #tables: Readonly<Record<Family, PrefixTable>>;
  readonly #sum: DigestSum;

  /** Empty, or over `parts`, which it takes for its own. */
  constructor(list: ListNo, key: DigestKey, parts?: BlocklistParts) {
    this.list = list;
    this.key = key;
    this.#tables = parts?.tables ?? { 4: new PrefixTable(4, key), 6: new PrefixTable(6, key) };
    this.#sum = new DigestSum(key, list, parts?.digest ?? EMPTY_DIGEST);
  }

  get size(): number {
    return this.sizeOf(4) + this.sizeOf(6);
  }

  sizeOf(family: Family): number {
    return this.#tables[family].size;
  }

  /** Of all listings, expired ones included. */
  get digest(): Digest {
    return this.#sum.digest;
  }

  get(prefix: Prefix): Listing | undefined {
    const table = this.#tableFor(prefix);
    const slot = table.find(scanned);
    return slot < 0 ? undefined : listingAt(table, slot, prefix);
  }

  has(prefix: Prefix): boolean {
    return this.#tableFor(prefix).find(scanned) >= 0;
  }

  /** The listing's end; undefined = not listed. Without a text, for whoever walks over columns. */
  untilOfWords(words: Readonly<PrefixWords>): UnixSeconds | undefined {
    const table = this.#tables[words.family];
    const slot = table.find(words);
    return slot < 0 ? undefined : (table.untilAt(slot) as UnixSeconds);
  }

  /** Gives the listing that stood there before. */
  put(listing: Listing): Listing | undefined {
    assertFits(listing);
    const { prefix, until, rank, begun } = listing;
    const table = this.#tableFor(prefix);
    const slot = table.find(scanned);
    const before = slot < 0 ? undefined : listingAt(table, slot, prefix);
    if (before !== undefined) this.#sum.removeListingWords(scanned, before.rank, before.until);
    this.#sum.addListingWords(scanned, rank, until);
    table.put(scanned, rank, until, begun);
    return before;
  }

  /** Gives the listing that stood there. */
  remove(prefix: Prefix): Listing | undefined {
    const table = this.#tableFor(prefix);
    const slot = table.find(scanned);
    if (slot < 0) return undefined;
    const before = listingAt(table, slot, prefix);
    this.#sum.removeListingWords(scanned, before.rank, before.until);
    table.removeAt(slot);
    return before;
  }

  /** In no particular order; the list must not change meanwhile. */
  *listings(): Generator<Listing> {
    const words = blankWords();
    for (const family of FAMILIES) {
      const table = this.#tables[family];
      for (let slot = 0; slot < table.slots; slot += 1) {
        if (!table.isUsed(slot)) continue;
        table.readWords(slot, words);
        yield listingAt(table, slot, textOfWords(words) as Prefix);
      }
    }
  }

  /** As `listings`, in the order of the wire; as it was when called, whatever changes meanwhile. */
  sorted(): Iterable<Listing> {
    return listingsOf(this.columns());
  }

  /** A copy of the columns in no order: as long as copying takes, whatever the size. */
  unsortedColumns(): ListingColumns[] {
    return FAMILIES.map((family) => this.unsortedColumnsOf(family));
  }

  unsortedColumnsOf(family: Family): ListingColumns {
    return unsortedColumnsOf(this.#tables[family]);
  }

  /** A sorted copy of the columns. */
  columns(): ListingColumns[] {
    return finish(this.columnsInSlices());
  }

  /** The list must not change before the last slice: take a clone. */
  *columnsInSlices(): Slices<ListingColumns[]> {
    const columns: ListingColumns[] = [];
    for (const family of FAMILIES) columns.push(yield* sortedColumnsOf(this.#tables[family]));
    return columns;
  }

  clone(): Blocklist {
    const tables = { 4: this.#tables[4].clone(), 6: this.#tables[6].clone() };
    return new Blocklist(this.list, this.key, { tables, digest: this.digest });
  }

  /** Leaves the prefix in the scanner's shared record. */
  #tableFor(prefix: Prefix): PrefixTable {
    scanPrefix(prefix);
    return this.#tables[scanned.family];
  }
}

function listingAt(table: PrefixTable, slot: number, prefix: Prefix): Listing {
  return {
    prefix,
    until: table.untilAt(slot) as UnixSeconds,
    rank: table.rankAt(slot) as Rank,
    begun: table.begunAt(slot) as UnixSeconds,
  };
}

/** A column would cut a value that is too large, and digest and list would part. */
function assertFits({ prefix, until, rank, begun }: Listing): void {
  if (isWithin(until, MAX_UNTIL) && isWithin(begun, MAX_UNTIL) && isWithin(rank, MAX_RANK)) return;
  const bounds = `until and begun must be 0 to ${MAX_UNTIL} and rank 0 to ${MAX_RANK}`;
  throw new FleetbanError("bad-listing", `listing ${prefix} until ${until}, rank ${rank}, begun ${begun}: ${bounds}`);
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
