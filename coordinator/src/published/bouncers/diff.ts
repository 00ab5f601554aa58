/**
 * What has to be told to a bouncer that knows one state of an edition, so that it knows the next. Pure.
 *
 * New and gone prefixes are told at once. One whose end has moved on is told a few at a time, the soonest end first: Debian's
 * bouncer passes over an entry that is there already, so it has to be told as gone and new, and an entry that is taken out
 * and put in again is missing in between. A feed that was refreshed would take out everything at once.
 */
import type { Slices } from "@fleetban/kit/slices";
import { blankWords, compareWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { secondsLeft } from "@fleetban/proto/model/until";
import { ColumnBuilder } from "../column-builder.ts";
import { ANNOUNCED_MAX_SECONDS } from "./decision.ts";

/** Of one family. */
export interface Difference {
  readonly added: ListingColumns;
  readonly removed: ListingColumns;
  /** With what holds now: to be told as gone, then as new. */
  readonly changed: ListingColumns;
  /** What is known after it. */
  readonly announced: ListingColumns;
  /** Ends that have moved on and are not told yet. */
  readonly waiting: number;
}

const SLICE_ROWS = 1_024;
/** Told before their turn: a bouncer polls each ten seconds to a minute. */
const URGENT_SECONDS = 300;
/** An end that moves by less is not worth an entry that is missing for a moment. */
const SAME_SECONDS = 60;
/** What is told with a bounded end is told again when half of it is over. */
const RENEWED_SECONDS = ANNOUNCED_MAX_SECONDS / 2;

/** Undefined `known` = nothing is known yet. */
export function* difference(
  known: ListingColumns | undefined,
  next: ListingColumns,
  now: UnixSeconds,
  budget: number,
): Slices<Difference> {
  const cut = known === undefined ? undefined : yield* soonestEnds(known, next, now, budget);
  const added = new ColumnBuilder(next.family);
  const removed = new ColumnBuilder(next.family);
  const changed = new ColumnBuilder(next.family);
  const announced = new ColumnBuilder(next.family, next.count);
  let [left, waiting] = [budget, 0];
  yield* walk(known, next, (words, before, after) => {
    const [oldRank, oldUntil] = [known?.ranks[before] ?? 0, (known?.untils[before] ?? 0) as UnixSeconds];
    if (after < 0) return removed.push(words, oldRank, oldUntil);
    const [rank, until] = [next.ranks[after] ?? 0, (next.untils[after] ?? 0) as UnixSeconds];
    const end = endToTell(until, now);
    if (before < 0) {
      added.push(words, rank, until);
      return announced.push(words, rank, end);
    }
    if (rank === oldRank && !isDue(oldUntil, until, now)) return announced.push(words, rank, oldUntil);
    const isMoved = rank === oldRank && end > oldUntil;
    const isUrgent = !isMoved || oldUntil - now < URGENT_SECONDS;
    if (!isUrgent && (oldUntil > (cut ?? 0) || left <= 0)) {
      waiting += 1;
      return announced.push(words, rank, oldUntil);
    }
    if (!isUrgent) left -= 1;
    changed.push(words, rank, until);
    return announced.push(words, rank, end);
  });
  return {
    added: added.finish(),
    removed: removed.finish(),
    changed: changed.finish(),
    announced: announced.finish(),
    waiting,
  };
}

/** The end up to which the budget reaches. */
function* soonestEnds(known: ListingColumns, next: ListingColumns, now: UnixSeconds, budget: number): Slices<number> {
  const ends: number[] = [];
  yield* walk(known, next, (_, before, after) => {
    if (before < 0 || after < 0) return;
    const oldUntil = (known.untils[before] ?? 0) as UnixSeconds;
    if (isDue(oldUntil, (next.untils[after] ?? 0) as UnixSeconds, now)) ends.push(oldUntil);
  });
  if (ends.length <= budget) return Number.POSITIVE_INFINITY;
  return Float64Array.from(ends).sort()[budget - 1] ?? 0;
}

/** What was told is never open-ended. */
function isDue(told: UnixSeconds, until: UnixSeconds, now: UnixSeconds): boolean {
  const end = endToTell(until, now);
  if (end < told - SAME_SECONDS) return true;
  if (end <= told + SAME_SECONDS) return false;
  return secondsLeft(until, now) < ANNOUNCED_MAX_SECONDS || told - now < RENEWED_SECONDS;
}

export function endToTell(until: UnixSeconds, now: UnixSeconds): UnixSeconds {
  return (now + Math.min(secondsLeft(until, now), ANNOUNCED_MAX_SECONDS)) as UnixSeconds;
}

/** Both in order; -1 = the prefix does not stand there. */
function* walk(
  known: ListingColumns | undefined,
  next: ListingColumns,
  visit: (words: PrefixWords, before: number, after: number) => void,
): Slices<void> {
  const [one, other] = [blankWords(), blankWords()];
  let [before, after, steps] = [0, 0, 0];
  while (before < (known?.count ?? 0) || after < next.count) {
    if (known !== undefined && before < known.count) readPrefix(known, before, one);
    if (after < next.count) readPrefix(next, after, other);
    const hasOld = known !== undefined && before < known.count;
    const order = !hasOld ? 1 : after >= next.count ? -1 : compareWords(one, other);
    visit(order <= 0 ? one : other, order <= 0 ? before : -1, order >= 0 ? after : -1);
    if (order <= 0) before += 1;
    if (order >= 0) after += 1;
    steps += 1;
    if (steps % SLICE_ROWS === 0) yield;
  }
}
