/**
 * Reads a set back and compares it with what it was believed to hold; from then on what was read is believed.
 *
 * A large set is asked for what it is believed to hold where the backend can do that: there reading a set whole takes time
 * with the square of its size. What is foreign does not show then; the count does, and then the set is read whole.
 *
 * The set changes meanwhile: what was applied since the reading began is known better than it was read. An entry at the
 * edge of its timeout is no difference.
 */

import type { Clock } from "@fleetban/kit/clock";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type PrefixColumns, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { Backend, KernelEntry } from "./backend.ts";
import { endAfter } from "./entry-op.ts";
import { type EntryTable, isAfter } from "./entry-table.ts";
import type { KernelSet } from "./kernel-set.ts";

export interface Difference {
  /** Believed in force, and not there. */
  readonly missing: readonly Prefix[];
  /** There, and not believed. */
  readonly foreign: readonly Prefix[];
}

export interface ReadBack {
  /** Reads, compares, and lets the set believe it. `hasForeign`: there is more in it than believed. */
  compare(set: KernelSet, hasForeign?: boolean): Promise<Difference>;
  /** What the kernel holds now, as a table of its own: what is repaired meanwhile does not change it. */
  read(set: KernelSet, guess?: Guess): Promise<EntryTable>;
}

/** What a set may be asked for by name: a copy that is made only where the backend is asked so. */
export interface Named {
  readonly count: number;
  readonly columns: () => PrefixColumns;
}

/** What is likely to be all of a set, and how many entries the kernel says there are. */
export interface Guess {
  readonly likely: Named;
  readonly entries: number;
}

export interface ReadBackParts {
  readonly backend: Pick<Backend, "readSet" | "readEntries">;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

const EDGE_SECONDS = 3;
/** From here on a question an entry is cheaper: 0.1 s. */
export const LARGE_SET_ENTRIES = 20_000;

export function createReadBack({ backend, clock }: ReadBackParts): ReadBack {
  const nowSeconds = () => clock.monotonicMs() / 1_000;

  async function read(set: KernelSet, guess?: Guess): Promise<EntryTable> {
    const guessed = guess === undefined ? undefined : await readNamed(set, guess.likely);
    if (guess !== undefined && guessed !== undefined && guessed.size >= guess.entries) return guessed;
    return await tableOf(set, backend.readSet(set.name));
  }

  /** Undefined: to read the whole set is as good. */
  async function readNamed(set: KernelSet, { count, columns }: Named): Promise<EntryTable | undefined> {
    const entries = count >= LARGE_SET_ENTRIES ? backend.readEntries?.(set.name, columns()) : undefined;
    return entries && (await tableOf(set, entries));
  }

  async function readBelieved(set: KernelSet): Promise<EntryTable> {
    const believed = { count: set.entries.size, columns: () => set.entries.columns() };
    return (await readNamed(set, believed)) ?? (await read(set));
  }

  async function tableOf(set: KernelSet, pieces: AsyncIterable<readonly KernelEntry[]>): Promise<EntryTable> {
    const table = set.entries.blank(set.entries.size);
    const turns = createBackgroundTurns(clock);
    for await (const piece of pieces) {
      const now = nowSeconds();
      for (const { prefix, timeoutSeconds } of piece) table.put(prefix, endAfter(timeoutSeconds, now));
      if (turns.isOver()) await turns.next();
    }
    return table;
  }

  async function compare(set: KernelSet, hasForeign = false): Promise<Difference> {
    const touched = new Set<Prefix>();
    set.touched = touched;
    try {
      const before = set.entries;
      const found = await (hasForeign ? read(set) : readBelieved(set));
      const edge = nowSeconds() + EDGE_SECONDS;
      const missing = await lacking(
        before.columns((end) => isAfter(end, edge)),
        found,
      );
      const foreign = await lacking(
        found.columns((end) => isAfter(end, edge)),
        before,
      );
      return believe(set, found, { missing, foreign }, touched);
    } finally {
      set.touched = undefined;
    }
  }

  async function lacking(columns: PrefixColumns, table: EntryTable): Promise<readonly Prefix[]> {
    const absent: Prefix[] = [];
    const turns = createBackgroundTurns(clock);
    for (const prefix of prefixesOf([columns])) {
      if (!table.has(prefix)) absent.push(prefix);
      if (turns.isOver()) await turns.next();
    }
    return absent;
  }

  return { compare, read };
}

/** In one go: nothing is applied between the last look and believing. */
function believe(set: KernelSet, found: EntryTable, compared: Difference, touched: ReadonlySet<Prefix>): Difference {
  const before = set.entries;
  const isUntouched = (prefix: Prefix) => !touched.has(prefix);
  for (const prefix of prefixesOf([before.columns((_end, isKept) => isKept)])) found.keep(prefix);
  for (const prefix of touched) copyEntry(before, found, prefix);
  set.entries = found;
  return { missing: compared.missing.filter(isUntouched), foreign: compared.foreign.filter(isUntouched) };
}

function copyEntry(from: EntryTable, to: EntryTable, prefix: Prefix): void {
  const end = from.endOf(prefix);
  if (end === undefined) to.remove(prefix);
  else to.put(prefix, end);
}
