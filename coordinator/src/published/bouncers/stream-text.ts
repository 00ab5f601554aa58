/** The answer to `/v1/decisions/stream`, text in chunks with turns for others between. */
import type { Turns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Edition } from "../edition.ts";
import type { Step } from "./announcements.ts";
import { type Decision, decisionAt, ORIGIN, TYPE } from "./decision.ts";
import type { Filter } from "./filters.ts";

export interface StreamTold {
  readonly filter: Filter;
  /** The token's. */
  readonly maxRank: number;
  readonly now: UnixSeconds;
}

const ROWS_A_CHUNK = 256;

/** For a bouncer that knows nothing, or of which nothing is known. */
export async function* wholeText(
  { families }: Edition,
  gone: readonly string[],
  told: StreamTold,
  turns: Turns,
): AsyncGenerator<string> {
  yield '{"new":[';
  yield* joined(decisionsOf(families, told), turns);
  yield '],"deleted":[';
  yield* joined(goneDecisions(gone, told), turns);
  yield "]}";
}

/**
 * Of several steps the newest word about a prefix is the one that counts: a bouncer takes out what is told as gone before it
 * puts in what is told as new, whatever the order in which it happened.
 */
export async function* changesText(steps: readonly Step[], told: StreamTold, turns: Turns): AsyncGenerator<string> {
  const newest = new Map<string, Decision | undefined>();
  const gone = new Map<string, Decision>();
  for (const { added, removed, changed } of steps) {
    for (const decision of decisionsOf([...removed, ...changed], { ...told, maxRank: Number.POSITIVE_INFINITY })) {
      gone.set(decision.value, { ...decision, duration: "0s" });
      newest.set(decision.value, undefined);
      if (turns.isOver()) await turns.next();
    }
    for (const decision of decisionsOf([...changed, ...added], told)) {
      newest.set(decision.value, decision);
      if (turns.isOver()) await turns.next();
    }
  }
  yield '{"new":[';
  yield* joined(definedOf(newest.values()), turns);
  yield '],"deleted":[';
  yield* joined(gone.values(), turns);
  yield "]}";
}

export function* decisionsOf(families: readonly ListingColumns[], told: StreamTold): Generator<Decision> {
  for (const columns of families) {
    for (let row = 0; row < columns.count; row += 1) {
      if ((columns.ranks[row] ?? 0) > told.maxRank) continue;
      const decision = decisionAt(columns, row, told.now);
      if (told.filter(decision)) yield decision;
    }
  }
}

/** Comma between; the first without. */
export async function* joined(decisions: Iterable<Decision>, turns: Turns): AsyncGenerator<string> {
  let [chunk, rows] = ["", 0];
  for (const decision of decisions) {
    chunk += rows === 0 ? JSON.stringify(decision) : `,${JSON.stringify(decision)}`;
    rows += 1;
    if (rows % ROWS_A_CHUNK !== 0) continue;
    yield chunk;
    chunk = "";
    if (turns.isOver()) await turns.next();
  }
  if (chunk !== "") yield chunk;
}

function* definedOf(decisions: Iterable<Decision | undefined>): Generator<Decision> {
  for (const decision of decisions) if (decision !== undefined) yield decision;
}

function* goneDecisions(gone: readonly string[], { filter }: StreamTold): Generator<Decision> {
  for (const value of gone) {
    const scope = value.includes("/") ? "Range" : "Ip";
    const decision = { id: 1, origin: ORIGIN, type: TYPE, scope, value, duration: "0s", scenario: "fleetban/fleet" };
    if (filter(decision)) yield decision;
  }
}
