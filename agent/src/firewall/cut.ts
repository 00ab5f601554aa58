/**
 * The line's state: counts the deny lists' listings by place, and moves the line when capacity asks for it.
 *
 * Counting costs a keyed hash a listing, so it begins only when the lists come near the capacity. A recount walks a copy
 * while changes are counted into the same histogram: sums commute, so nothing is missed and nothing is counted twice.
 */

import type { Clock } from "@fleetban/kit/clock";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { bucketOfPrefix, type DigestKey } from "@fleetban/proto/model/digest";
import type { Listing, ListNo } from "@fleetban/proto/model/listing";
import { listingsOf } from "@fleetban/proto/model/sorted-columns";
import type { MirrorChange } from "../mirror/held.ts";
import { Histogram, isBelow, isHigher, type Line, nextLine, type Room } from "./line.ts";

/** Part of the capacity at which counting begins. */
const COUNT_FROM = 0.9;

export interface Cut {
  readonly line: Line | undefined;
  /** The line of the last run. Before anything is counted. */
  restore(line: Line | undefined): void;
  /** A list that counts is there anew: its first snapshot, or another. Resolves when it is counted. */
  replaced(blocklist: Blocklist): Promise<void>;
  changed(list: ListNo, changes: readonly MirrorChange[]): Promise<void>;
  removed(list: ListNo): void;
  /** "shrunk": removals have to go before further bulk puts. */
  move(mayGrow: boolean): "same" | "shrunk" | "grown";
  isAbove(list: ListNo, listing: Listing): boolean;
  /** Listings of that list that are cut off. */
  leftOut(list: ListNo): number;
}

interface Counted {
  readonly blocklist: Blocklist;
  /** Absent while the lists are far from the capacity. */
  histogram: Histogram | undefined;
  isComplete: boolean;
}

/** `capacity` 0 = no bound. */
export function createCut(room: Room, clock: Pick<Clock, "monotonicMs" | "sleep">): Cut {
  const countedByList = new Map<ListNo, Counted>();
  let line: Line | undefined;

  const isNear = () => {
    if (room.capacity === 0) return false;
    const total = countedByList.values().reduce((sum, { blocklist }) => sum + blocklist.size, 0);
    return line !== undefined || total > room.capacity * COUNT_FROM;
  };

  async function count(counted: Counted): Promise<void> {
    const { blocklist } = counted;
    const histogram = new Histogram();
    counted.histogram = histogram;
    const turns = createBackgroundTurns(clock);
    for (const { prefix, rank } of listingsOf(blocklist.columns())) {
      histogram.add(rank, bucketOfPrefix(blocklist.key, blocklist.list, prefix), 1);
      if (turns.isOver()) await turns.next();
    }
    counted.isComplete = true;
  }

  async function countMissing(): Promise<void> {
    if (!isNear()) return;
    for (const counted of countedByList.values()) if (counted.histogram === undefined) await count(counted);
  }

  return {
    get line() {
      return line;
    },
    restore(saved) {
      if (room.capacity > 0) line = saved;
    },
    async replaced(blocklist) {
      countedByList.set(blocklist.list, { blocklist, histogram: undefined, isComplete: false });
      await countMissing();
    },
    async changed(list, changes) {
      const counted = countedByList.get(list);
      if (counted?.histogram !== undefined) addChanges(counted.histogram, counted.blocklist.key, list, changes);
      else await countMissing();
    },
    removed: (list) => void countedByList.delete(list),
    move(mayGrow) {
      const all = [...countedByList.values()];
      if (!isNear() || !all.every(({ isComplete }) => isComplete)) return "same";
      const histograms = all.flatMap(({ histogram }) => histogram ?? []);
      const next = nextLine(histograms, room, line, mayGrow);
      const moved = isHigher(next, line) ? "grown" : isHigher(line, next) ? "shrunk" : "same";
      line = next;
      return moved;
    },
    isAbove(list, { prefix, rank }) {
      const counted = countedByList.get(list);
      if (counted === undefined) return true; // not one of the lists that are cut
      return isBelow(line, rank, () => bucketOfPrefix(counted.blocklist.key, list, prefix));
    },
    leftOut(list) {
      const histogram = countedByList.get(list)?.histogram;
      return line === undefined || histogram === undefined ? 0 : histogram.total - histogram.countBelow(line);
    },
  };
}

function addChanges(histogram: Histogram, key: DigestKey, list: ListNo, changes: readonly MirrorChange[]): void {
  for (const { prefix, before, after } of changes) {
    if (before?.rank === after?.rank) continue;
    const bucket = bucketOfPrefix(key, list, prefix);
    if (before !== undefined) histogram.add(before.rank, bucket, -1);
    if (after !== undefined) histogram.add(after.rank, bucket, 1);
  }
}
