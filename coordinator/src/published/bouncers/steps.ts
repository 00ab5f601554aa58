/**
 * Steps of what bouncers have been told, and what several of them say together: of each prefix the newest word counts. All
 * columns are in order, so they are merged as they are read: whoever is far behind costs a cursor a column, not a copy.
 */
import type { Slices } from "@fleetban/kit/slices";
import { blankWords, compareWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { ColumnBuilder } from "../column-builder.ts";

export interface Step {
  /** It tells what has changed since that one. */
  readonly from: number;
  readonly no: number;
  /** A column a family in each. */
  readonly added: readonly ListingColumns[];
  readonly removed: readonly ListingColumns[];
  readonly changed: readonly ListingColumns[];
}

export interface Word {
  /** Where the newest step speaks of the prefix. */
  readonly columns: ListingColumns;
  readonly row: number;
  /** What was known of the prefix before does not hold any more. */
  readonly isGone: boolean;
  /** It is published. */
  readonly isThere: boolean;
}

interface Cursor {
  readonly columns: ListingColumns;
  readonly at: number;
  readonly isGone: boolean;
  readonly isThere: boolean;
  readonly words: PrefixWords;
  row: number;
}

const SLICE_WORDS = 1_024;

export function rowsOf({ added, removed, changed }: Pick<Step, "added" | "removed" | "changed">): number {
  return [...added, ...removed, ...changed].reduce((sum, { count }) => sum + count, 0);
}

/** Of one family, in order; the steps the oldest first. Undefined now and then: a moment to give way. */
export function* newestWords(steps: readonly Step[], family: number): Generator<Word | undefined, undefined> {
  const heap = cursorsOf(steps, family);
  for (let count = 1; heap.length > 0; count += 1) {
    const { columns, row, isThere, isGone, words } = heap[0] as Cursor;
    const prefix = { ...words };
    let wasThere = isGone;
    advanceFirst(heap);
    while (heap[0] !== undefined && compareWords(heap[0].words, prefix) === 0) {
      wasThere ||= heap[0].isGone;
      advanceFirst(heap);
    }
    yield { columns, row, isThere, isGone: wasThere };
    if (count % SLICE_WORDS === 0) yield undefined;
  }
  return undefined;
}

/** One that says what all of them say. */
export function* mergeSteps(steps: readonly Step[]): Slices<Step> {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) throw new Error("internal error: no steps to merge");
  const merged = { added: [] as ListingColumns[], removed: [] as ListingColumns[], changed: [] as ListingColumns[] };
  const prefix = blankWords();
  for (const [at, { family }] of first.added.entries()) {
    const [added, removed, changed] = [family, family, family].map((each) => new ColumnBuilder(each)) as Builders;
    for (const word of newestWords(steps, at)) {
      if (word === undefined) {
        yield;
        continue;
      }
      const { columns, row, isThere, isGone } = word;
      readPrefix(columns, row, prefix);
      const builder = isThere ? (isGone ? changed : added) : removed;
      builder.push(prefix, columns.ranks[row] ?? 0, columns.untils[row] ?? 0);
    }
    merged.added.push(added.finish());
    merged.removed.push(removed.finish());
    merged.changed.push(changed.finish());
  }
  return { from: first.from, no: last.no, ...merged };
}

type Builders = [ColumnBuilder, ColumnBuilder, ColumnBuilder];

/** A heap: the first prefix is first, of the same ones the newest word. */
function cursorsOf(steps: readonly Step[], family: number): Cursor[] {
  const cursors: Cursor[] = [];
  const open = (columns: ListingColumns | undefined, at: number, isGone: boolean, isThere: boolean) => {
    if (columns === undefined || columns.count === 0) return;
    const words = blankWords();
    readPrefix(columns, 0, words);
    cursors.push({ columns, at, isGone, isThere, words, row: 0 });
  };
  for (const [at, { added, removed, changed }] of steps.entries()) {
    open(added[family], at, false, true);
    open(removed[family], at, true, false);
    open(changed[family], at, true, true);
  }
  return cursors.sort(order);
}

function advanceFirst(heap: Cursor[]): void {
  const first = heap[0] as Cursor;
  first.row += 1;
  if (first.row < first.columns.count) readPrefix(first.columns, first.row, first.words);
  else {
    const last = heap.pop() as Cursor;
    if (last === first) return;
    heap[0] = last;
  }
  let at = 0;
  for (;;) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    let least = at;
    for (const child of [left, right]) if (child < heap.length && isBefore(heap, child, least)) least = child;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least] as Cursor, heap[at] as Cursor];
    at = least;
  }
}

function isBefore(heap: readonly Cursor[], one: number, other: number): boolean {
  return order(heap[one] as Cursor, heap[other] as Cursor) < 0;
}

function order(one: Cursor, other: Cursor): number {
  return compareWords(one.words, other.words) || other.at - one.at;
}
