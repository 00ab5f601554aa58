/** One entry as lists write it: an address, a network, or a range `a-b`; strictly, since a guess would ban a stranger. */
import { FleetbanError } from "@fleetban/kit/errors";
import { type Prefix, parsePrefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { prefixesBetween } from "./ranges.ts";
import type { Row } from "./row.ts";

type Told = Pick<Extract<Row, { kind: "prefixes" }>, "confidence" | "country" | "network">;

/** `told`: what the line says besides. */
export function entryRow(line: number, text: string, told: Told = {}): Row {
  const single = tryParsePrefix(text);
  if (single !== undefined) return { kind: "prefixes", line, text, prefixes: [single], ...told };
  const dash = text.indexOf("-");
  if (dash > 0) return rangeRow({ line, text }, text.slice(0, dash).trim(), text.slice(dash + 1).trim(), told);
  return { kind: "bad", line, text, problem: problemOf(text) };
}

export function rangeRow(at: { line: number; text: string }, first: string, last: string, told: Told = {}): Row {
  const [from, to] = [tryParsePrefix(first), tryParsePrefix(last)];
  const bad = from === undefined ? first : to === undefined ? last : undefined;
  if (bad !== undefined) return { kind: "bad", ...at, problem: problemOf(bad) };
  const prefixes = prefixesBetween(from as Prefix, to as Prefix);
  if (prefixes !== undefined) return { kind: "prefixes", ...at, prefixes, ...told };
  return {
    kind: "bad",
    ...at,
    problem: `range ${first}-${last}: must go from one address up to another of its version`,
  };
}

/** In the words in which every other place refuses it. */
function problemOf(text: string): string {
  try {
    parsePrefix(text);
    return "is no entry";
  } catch (error) {
    if (error instanceof FleetbanError) return error.message;
    throw error;
  }
}
