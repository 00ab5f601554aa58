/** What a format of published lists is: text in chunks, so that a long one can be made with turns for others between. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords, type Family } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded } from "@fleetban/proto/model/until";

export interface Page {
  /** Names of the lists it is made of. */
  readonly lists: readonly string[];
  /** Sorted; only the families that were asked for. */
  readonly families: readonly ListingColumns[];
  /** What sets and address lists in the file are called. */
  readonly name: string;
  /** Where the format has timeouts and they were asked for: they count from here. */
  readonly timeoutsFrom: UnixSeconds | undefined;
}

export interface Format {
  readonly contentType: string;
  /** The tool that reads it refuses networks that lie in each other. */
  readonly needsAggregation: boolean;
  /** Without a wish of the caller. */
  readonly isAggregated: boolean;
  readonly hasTimeouts: boolean;
  text(page: Page): Generator<string, void>;
}

export interface Row {
  readonly prefix: Prefix;
  readonly family: Family;
  readonly rank: number;
  readonly until: UnixSeconds;
}

const ROWS_A_CHUNK = 512; // some 0.2 ms

/** A text a row, many rows a chunk; `between` stands between two rows. */
export function* rowsAsText(
  families: readonly ListingColumns[],
  textOf: (row: Row) => string,
  between = "",
): Generator<string, void> {
  const words = blankWords();
  let isFirst = true;
  for (const columns of families) {
    let chunk = "";
    for (let row = 0; row < columns.count; row += 1) {
      readPrefix(columns, row, words);
      const text = textOf({
        prefix: textOfWords(words) as Prefix,
        family: columns.family,
        rank: columns.ranks[row] ?? 0,
        until: (columns.untils[row] ?? 0) as UnixSeconds,
      });
      chunk += isFirst ? text : between + text;
      isFirst = false;
      if (row % ROWS_A_CHUNK !== ROWS_A_CHUNK - 1) continue;
      yield chunk;
      chunk = "";
    }
    if (chunk !== "") yield chunk;
  }
}

/** ISO 8601, or undefined = open-ended. */
export function moment(until: UnixSeconds): string | undefined {
  return isOpenEnded(until) ? undefined : new Date(until * 1_000).toISOString().replace(".000Z", "Z");
}
