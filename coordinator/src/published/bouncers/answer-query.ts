/** The answer to `/v1/decisions`: what there is about an address, a network, or everything. `null` = nothing. */
import type { Turns } from "@fleetban/kit/turns";
import { type Prefix, partsOf, tryParsePrefix } from "@fleetban/proto/model/prefix";
import type { Edition } from "../edition.ts";
import { RequestError } from "../list-request.ts";
import { type Decision, decisionAt } from "./decision.ts";
import { rowsAround, rowsInside } from "./find-rows.ts";
import { type Decisions, decisionsOf, joined, type StreamTold } from "./stream-text.ts";

const ROWS_A_TURN = 256;

/** Throws a RequestError at once where the query makes no sense. */
export function answerToQuery(
  edition: Edition,
  query: URLSearchParams,
  told: StreamTold,
  turns: Turns,
): AsyncGenerator<string> {
  const prefix = prefixOf(query);
  return textOf(found(edition, prefix, query.get("contains") !== "false", told), turns);
}

function* found(
  { families }: Edition,
  prefix: Prefix | undefined,
  isAround: boolean,
  told: StreamTold,
): Generator<Decision | undefined, undefined> {
  if (prefix === undefined) return yield* decisionsOf(families, told);
  const words = partsOf(prefix);
  const columns = families.find(({ family }) => family === words.family);
  if (columns === undefined) return undefined;
  for (const row of isAround ? rowsAround(columns, words) : rowsInside(columns, words)) {
    if (row % ROWS_A_TURN === 0) yield undefined;
    if ((columns.ranks[row] ?? 0) > told.maxRank) continue;
    const decision = decisionAt(columns, row, told.now);
    if (told.filter.wants(decision)) yield decision;
  }
  return undefined;
}

function prefixOf(query: URLSearchParams): Prefix | undefined {
  const text = query.get("ip") ?? query.get("range");
  if (text === null) return undefined;
  const prefix = tryParsePrefix(text);
  if (prefix !== undefined) return prefix;
  throw new RequestError(400, `${JSON.stringify(text)}: is no address and no network`, "write it like 192.0.2.7");
}

async function* textOf(decisions: Decisions, turns: Turns): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const chunk of joined(decisions, turns)) {
    yield isEmpty ? `[${chunk}` : chunk;
    isEmpty = false;
  }
  yield isEmpty ? "null" : "]";
}
