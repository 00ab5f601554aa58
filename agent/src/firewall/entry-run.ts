/**
 * Many adds to one set as columns: how a bulk load is planned without a text and an object an entry.
 *
 * For each row what `opFor` would make of it. A row that may be protected is left to whoever asks entry by entry, and so
 * is everything where the list is no plain one. Pure.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { emptyPrefixColumns, type PrefixColumns, readPrefix, writePrefix } from "@fleetban/proto/model/sorted-columns";
import { isNearSpecial } from "@fleetban/proto/model/special-purpose";
import { isExpired } from "@fleetban/proto/model/until";
import type { AddRun } from "./backend.ts";
import { DENY_WIDEST_LENGTH } from "./brake.ts";
import { secondsLeftAt } from "./entry-op.ts";
import type { KernelSet } from "./kernel-set.ts";
import { needsRenewal, timeoutFor } from "./leases.ts";
import type { PlainList } from "./wanted.ts";

export interface PlannedRun {
  readonly set: KernelSet;
  readonly adds: AddRun;
}

export interface RunPlan {
  /** So many were looked at. */
  readonly rows: number;
  /** Undefined = nothing to add. */
  readonly run: PlannedRun | undefined;
  /** Rows that have to be asked for one by one. */
  readonly others: readonly Prefix[];
}

/** Rows that may be looked at in vain before other work gets its chance: some 0.5 ms. */
const ROWS_A_LOOK = 4_096;

/** The rows of `columns` from `from` on, so many entries at most. */
export function planRun(
  set: KernelSet,
  { blocklist, now, leaseSeconds }: PlainList,
  { columns, from, entries, nowSeconds }: RunRows,
): RunPlan {
  const words = blankWords();
  const chosen = emptyPrefixColumns(columns.family, Math.min(entries, columns.count - from));
  const timeouts = new Uint32Array(chosen.count);
  const others: Prefix[] = [];
  const end = Math.min(columns.count, from + ROWS_A_LOOK);
  let [row, count] = [from, 0];
  for (; row < end && count < chosen.count; row += 1) {
    readPrefix(columns, row, words);
    const until = blocklist.untilOfWords(words);
    if (until === undefined || isExpired(until, now)) continue; // kept, or left to its timeout
    const seconds = timeoutFor(until, now, leaseSeconds);
    if (!needsRenewal(seconds, secondsLeftAt(set.entries.endOfWords(words), nowSeconds))) continue;
    if (mayBeProtected(words)) {
      others.push(textOfWords(words) as Prefix);
      continue;
    }
    writePrefix(chosen, count, words);
    timeouts[count] = seconds;
    count += 1;
  }
  const adds = { set: set.name, columns: { ...chosen, count }, timeouts };
  return { rows: row - from, run: count === 0 ? undefined : { set, adds }, others };
}

export interface RunRows {
  readonly columns: PrefixColumns;
  readonly from: number;
  readonly entries: number;
  /** Of the monotonic clock. */
  readonly nowSeconds: number;
}

function mayBeProtected(words: Readonly<PrefixWords>): boolean {
  return words.length < DENY_WIDEST_LENGTH[words.family] || isNearSpecial(words);
}
