/**
 * What the entries of one kernel set have counted since they were last read.
 *
 * The kernel's counters only grow while an entry stays; they begin at 0 when it is added anew and when the set is made
 * anew. One that went back was reset. Where it can't be known whether that happened (removed and added between two
 * readings), less is counted, never more, and nothing twice.
 *
 * A set that was there before this process (a restart) is counted from its first reading on: nobody remembers what of
 * its counters was told before. What was counted between the last reading and the restart is forgotten.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { KernelEntry } from "../firewall/backend.ts";
import { type Counts, NO_COUNTS } from "./counts.ts";

export interface CountedSet {
  /** Undefined = one is under way already: only that one counts. */
  beginReading(what: ReadingKind): SetReading | undefined;
  /** The entry is gone from the kernel. */
  removed(prefix: Prefix): void;
  /** From here on a reading that is under way may see another set. */
  spoilReading(): void;
  /** When the last reading that was no broken one ended, monotonic; undefined = never. */
  readonly readAtMs: number | undefined;
}

/** `known`: only entries are read that are believed to be there. */
export type ReadingKind = "whole" | "known";

export interface SetReading {
  /** What it has counted that was not known yet. */
  entry(entry: KernelEntry): Counts;
  /** `atMs` is undefined when the reading broke off. */
  end(atMs: number | undefined): void;
}

/** Entries that have matched, a set; those beyond are not counted (some 100 bytes each). */
const MAX_TRACKED = 100_000;

/** `isNew`: made by this process, so all that its entries count is unknown to everybody. */
export function createCountedSet(isNew: boolean): CountedSet {
  let known = new Map<Prefix, Counts>();
  /** A first reading of what is known says nothing of what else may be in a set that was there before. */
  const isBegun: Record<ReadingKind, boolean> = { whole: isNew, known: isNew };
  let readAtMs: number | undefined;
  let reading: { isSpoiled: boolean } | undefined;

  function beginReading(what: ReadingKind): SetReading | undefined {
    if (reading !== undefined) return undefined;
    const own = { isSpoiled: false };
    const found = new Map<Prefix, Counts>();
    let added = 0;
    reading = own;
    return {
      entry({ prefix, packets, bytes }) {
        if (own.isSpoiled || packets === 0) return NO_COUNTS;
        // An entry that changes meanwhile may show twice.
        const before = found.get(prefix) ?? known.get(prefix);
        if (before === undefined && known.size + added >= MAX_TRACKED) return NO_COUNTS;
        found.set(prefix, { packets, bytes });
        if (before !== undefined) return difference(before, { packets, bytes });
        added += 1;
        return isBegun[what] ? { packets, bytes } : NO_COUNTS;
      },
      end(atMs) {
        reading = undefined;
        if (atMs === undefined || own.isSpoiled) {
          for (const [prefix, counts] of found) known.set(prefix, counts);
          return;
        }
        readAtMs = atMs;
        isBegun.known = true;
        isBegun.whole ||= what === "whole";
        if (what === "known" && known.size + added < MAX_TRACKED) {
          for (const [prefix, counts] of found) known.set(prefix, counts); // others may be there, unasked for
          return;
        }
        known = found; // what it has not shown is gone
      },
    };
  }

  return {
    beginReading,
    // A reading may still bring the old counter from before the removal; it is compared with what was known then.
    removed(prefix) {
      if (reading === undefined) known.delete(prefix);
    },
    spoilReading() {
      if (reading !== undefined) reading.isSpoiled = true;
    },
    get readAtMs() {
      return readAtMs;
    },
  };
}

function difference(before: Counts, now: Counts): Counts {
  const isReset = now.packets < before.packets || now.bytes < before.bytes;
  return isReset ? now : { packets: now.packets - before.packets, bytes: now.bytes - before.bytes };
}
