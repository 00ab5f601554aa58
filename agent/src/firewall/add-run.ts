/** The adds of a run one by one, for whoever can't take them as columns. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { AddRun, Op } from "./backend.ts";

/** In the order of the rows. */
export function* addsIn({ set, columns, timeouts }: AddRun): Generator<Op> {
  const words = blankWords();
  for (let row = 0; row < columns.count; row += 1) {
    readPrefix(columns, row, words);
    yield { kind: "add", set, prefix: textOfWords(words) as Prefix, timeoutSeconds: timeouts[row] ?? 0 };
  }
}
