/**
 * A list's newest history in memory: its changes, revision by revision, from an older kept snapshot on.
 *
 * Revisions with many changes are held packed, as columns: a feed of a million would otherwise be a million objects.
 */
import { type Change, collapse } from "@fleetban/proto/model/changes";
import type { Digest } from "@fleetban/proto/model/digest";
import type { Listing, Revision } from "@fleetban/proto/model/listing";
import {
  type ListingColumns,
  listingColumns,
  listingsOf,
  type PrefixColumns,
  prefixColumns,
  prefixesOf,
} from "@fleetban/proto/model/sorted-columns";

export interface RingEntry {
  readonly revision: Revision;
  /** Of the list at that revision. */
  readonly digest: Digest;
  readonly listings: number;
  readonly committedAtMs: number;
  readonly approved: boolean;
  readonly reportWithinMs: number;
  readonly kept: boolean;
  readonly changes: readonly Change[];
}

export interface RingStart {
  readonly revision: Revision;
  readonly digest: Digest;
}

/** What a delta spans. */
export interface Span {
  readonly last: Omit<RingEntry, "changes">;
  readonly changes: readonly Change[];
  readonly approved: boolean;
  readonly reportWithinMs: number;
}

/** An entry as it is held. */
interface HeldEntry extends Omit<RingEntry, "changes"> {
  readonly count: number;
  readonly changes: readonly Change[] | PackedChanges;
}

interface PackedChanges {
  readonly remove: readonly PrefixColumns[];
  readonly put: readonly ListingColumns[];
}

const PACKED_FROM_CHANGES = 256;
const SPAN_CHANGES_MAX = 20_000; // encoded within some 20 ms, and far below gRPC's 4 MB a message

export class Ring {
  #start: RingStart;
  #entries: HeldEntry[] = [];

  constructor(start: RingStart) {
    this.#start = start;
  }

  get start(): Revision {
    return this.#start.revision;
  }

  get newest(): Revision {
    return this.#entries.at(-1)?.revision ?? this.#start.revision;
  }

  push(entry: RingEntry): void {
    const { changes } = entry;
    this.#entries.push({
      ...entry,
      count: changes.length,
      changes: changes.length < PACKED_FROM_CHANGES ? changes : pack(changes),
    });
  }

  /** Absent = not a revision of this list, or from before the ring. */
  digestAt(revision: Revision): Digest | undefined {
    if (revision === this.#start.revision) return this.#start.digest;
    const at = this.#indexAfter(revision) - 1;
    const entry = this.#entries[at];
    return entry?.revision === revision ? entry.digest : undefined;
  }

  /**
   * From a revision on, not beyond the next kept one, nor beyond a message's bounds. What is approved and what is not
   * is never in one span: the one would carry the other past an agent's brake.
   */
  spanAfter(revision: Revision): Span | undefined {
    const from = this.#indexAfter(revision);
    const first = this.#entries[from];
    if (first === undefined) return undefined;
    let [to, count] = [from, 0];
    for (let entry = this.#entries[to]; entry !== undefined; entry = this.#entries[to]) {
      if (to > from && (entry.approved !== first.approved || count + entry.count > SPAN_CHANGES_MAX)) break;
      count += entry.count;
      to += 1;
      if (entry.kept) break;
    }
    const entries = this.#entries.slice(from, to);
    const wishes = entries.map(({ reportWithinMs }) => reportWithinMs).filter((wish) => wish > 0);
    return {
      last: entries.at(-1) ?? first,
      changes: collapse(entries.flatMap(({ changes }) => unpack(changes))),
      approved: first.approved,
      reportWithinMs: wishes.length === 0 ? 0 : Math.min(...wishes),
    };
  }

  /** Forgets what lies before a kept revision. */
  beginAt(start: RingStart): void {
    this.#entries = this.#entries.slice(this.#indexAfter(start.revision));
    this.#start = start;
  }

  /** Of the first entry that is newer. */
  #indexAfter(revision: Revision): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as HeldEntry).revision > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function pack(changes: readonly Change[]): PackedChanges {
  const put = changes.map(({ after }) => after).filter((listing): listing is Listing => listing !== undefined);
  const remove = changes.filter(({ after }) => after === undefined).map(({ prefix }) => prefix);
  return { remove: prefixColumns(remove), put: listingColumns(put) };
}

function unpack(changes: HeldEntry["changes"]): readonly Change[] {
  if (!("put" in changes)) return changes;
  const put = [...listingsOf(changes.put)].map((listing) => ({ prefix: listing.prefix, after: listing }));
  return [...[...prefixesOf(changes.remove)].map((prefix) => ({ prefix, after: undefined })), ...put];
}
