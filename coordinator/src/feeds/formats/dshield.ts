/** DShield's block.txt: first and last address, length, attacks, name, country, between tabulators; one line of titles. */
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import { linesOf } from "./lines.ts";
import { entryRow } from "./prefix-text.ts";
import type { Rows } from "./row.ts";

export function* dshieldRows(text: string): Rows {
  for (const { line, text: whole } of linesOf(text)) {
    if (whole.startsWith("#") || /^Start\s+End\s+Netmask/i.test(whole)) continue;
    const [first = "", last = "", length = "", , , country = ""] = whole.split("\t").map((cell) => cell.trim());
    const row = entryRow(line, `${first}/${length}`, /^[A-Z]{2}$/.test(country) ? { country } : {});
    // A last address that does not fit says that the columns are not what they were.
    const isRange = row.kind === "prefixes" && entryRow(line, `${first}-${last}`);
    const fits = isRange && isRange.kind === "prefixes" && isRange.prefixes.join() === row.prefixes.join();
    if (row.kind !== "prefixes" || fits) yield row;
    else if (tryParsePrefix(last) === undefined)
      yield { kind: "bad", line, text: whole, problem: "has no last address" };
    else yield { kind: "bad", line, text: whole, problem: `ends at ${last}, and /${length} does not` };
  }
}
