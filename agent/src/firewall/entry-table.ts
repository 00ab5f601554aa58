/**
 * What one kernel set is believed to hold: prefixes and the moments at which their timeouts end.
 *
 * Columns in typed arrays, 10 bytes a slot in IPv4, because every listing of the mirror stands here a second time.
 * Moments are seconds of the machine's monotonic clock; 0 = no timeout. An entry is kept when the brake left it to its
 * lease (PROTOCOL rule 8). Mutates in place for speed, behind values.
 */
import type { DigestKey } from "@fleetban/proto/model/digest";
import type { Family, Prefix } from "@fleetban/proto/model/prefix";
import { scanned, scanPrefix } from "@fleetban/proto/model/prefix-scan";
import { PrefixTable } from "@fleetban/proto/model/prefix-table";
import { blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { emptyPrefixColumns, type PrefixColumns, prefixesOf, writePrefix } from "@fleetban/proto/model/sorted-columns";

export const NO_TIMEOUT = 0;

const PLAIN = 0;
const KEPT = 1;

/**
 * `secret` decides where an entry stands, so that nobody can choose addresses that collide. With the secret of the
 * blocklist that it is filled from, one row after the other goes to the next place: a third of the time. Then `reserve`
 * first, or all of it crowds at the beginning.
 */
export function createEntryTable(family: Family, secret: DigestKey, expected = 0): EntryTable {
  return new EntryTable(new PrefixTable(family, secret, expected));
}

export class EntryTable {
  readonly #table: PrefixTable;
  #kept = 0;

  constructor(table: PrefixTable, kept = 0) {
    this.#table = table;
    this.#kept = kept;
  }

  get size(): number {
    return this.#table.size;
  }

  get keptCount(): number {
    return this.#kept;
  }

  /** Undefined = not in the set. */
  endOf(prefix: Prefix): number | undefined {
    const slot = this.#find(prefix);
    return slot < 0 ? undefined : this.#table.untilAt(slot);
  }

  /** As `endOf`, for whoever walks over columns. */
  endOfWords(words: Readonly<PrefixWords>): number | undefined {
    const slot = this.#table.find(words);
    return slot < 0 ? undefined : this.#table.untilAt(slot);
  }

  has(prefix: Prefix): boolean {
    return this.#find(prefix) >= 0;
  }

  isKept(prefix: Prefix): boolean {
    const slot = this.#find(prefix);
    return slot >= 0 && this.#table.rankAt(slot) === KEPT;
  }

  /** What is put anew is wanted again: it is not kept. */
  put(prefix: Prefix, endSeconds: number): void {
    this.#write(wordsOf(prefix), endSeconds, PLAIN);
  }

  putWords(words: Readonly<PrefixWords>, endSeconds: number): void {
    this.#write(words, endSeconds, PLAIN);
  }

  /** So many are about to be put. */
  reserve(expected: number): void {
    this.#table.reserve(expected);
  }

  /** Leaves an entry that is there to its timeout. */
  keep(prefix: Prefix): void {
    const end = this.endOf(prefix);
    if (end !== undefined) this.#write(wordsOf(prefix), end, KEPT);
  }

  remove(prefix: Prefix): void {
    const slot = this.#find(prefix);
    if (slot < 0) return;
    if (this.#table.rankAt(slot) === KEPT) this.#kept -= 1;
    this.#table.removeAt(slot);
  }

  /** Entries that are still there at that moment. */
  countAfter(seconds: number): number {
    return this.#table.countAfter(seconds);
  }

  /** Entries whose end has passed; gives them. */
  forgetBefore(seconds: number): readonly Prefix[] {
    const over = [...prefixesOf([this.columns((end) => !isAfter(end, seconds))])];
    for (const prefix of over) this.remove(prefix);
    return over;
  }

  /** A copy of the prefixes that `select` wants, in no order; the table may change while it is read. */
  columns(select: (endSeconds: number, isKept: boolean) => boolean = () => true): PrefixColumns {
    const chosen = new Uint32Array(this.size);
    let count = 0;
    for (let slot = 0; slot < this.#table.slots; slot += 1) {
      if (!this.#table.isUsed(slot) || !select(this.#table.untilAt(slot), this.#table.rankAt(slot) === KEPT)) continue;
      chosen[count] = slot;
      count += 1;
    }
    const columns = emptyPrefixColumns(this.#table.family, count);
    const words = blankWords();
    for (let row = 0; row < count; row += 1) {
      this.#table.readWords(chosen[row] ?? 0, words);
      writePrefix(columns, row, words);
    }
    return columns;
  }

  /** An empty one with the same secret. */
  blank(expected = 0): EntryTable {
    return new EntryTable(this.#table.blank(expected));
  }

  clone(): EntryTable {
    return new EntryTable(this.#table.clone(), this.#kept);
  }

  #find(prefix: Prefix): number {
    return this.#table.find(wordsOf(prefix));
  }

  #write(words: Readonly<PrefixWords>, endSeconds: number, mark: number): void {
    const slot = this.#kept > 0 ? this.#table.find(words) : -1;
    if (slot >= 0 && this.#table.rankAt(slot) === KEPT) this.#kept -= 1;
    if (mark === KEPT) this.#kept += 1;
    this.#table.put(words, mark, endSeconds, 0);
  }
}

export function isAfter(endSeconds: number, seconds: number): boolean {
  return endSeconds === NO_TIMEOUT || endSeconds > seconds;
}

/** The scanner's shared record: read it before anything else scans. */
function wordsOf(prefix: Prefix): Readonly<PrefixWords> {
  scanPrefix(prefix);
  return scanned;
}
