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

/** Undefined = some rows were passed over: a moment to give way. */
export type Decisions = Iterable<Decision | undefined>;

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
      if (decision !== undefined) {
        gone.set(decision.value, { ...decision, duration: "0s" });
        newest.set(decision.value, undefined);
      }
      if (turns.isOver()) await turns.next();
    }
    for (const decision of decisionsOf([...changed, ...added], told)) {
      if (decision !== undefined) newest.set(decision.value, decision);
      if (turns.isOver()) await turns.next();
    }
  }
  yield '{"new":[';
  yield* joined(newest.values(), turns);
  yield '],"deleted":[';
  yield* joined(gone.values(), turns);
  yield "]}";
}

export function* decisionsOf(
  families: readonly ListingColumns[],
  told: StreamTold,
): Generator<Decision | undefined, undefined> {
  for (const columns of families) {
    for (let row = 0; row < columns.count; row += 1) {
      if (row % ROWS_A_CHUNK === ROWS_A_CHUNK - 1) yield undefined; // a filter may let nothing through
      if ((columns.ranks[row] ?? 0) > told.maxRank) continue;
      const decision = decisionAt(columns, row, told.now);
      if (told.filter(decision)) yield decision;
    }
  }
  return undefined;
}

/** Comma between; the first without. */
export async function* joined(decisions: Decisions, turns: Turns): AsyncGenerator<string> {
  let [chunk, rows] = ["", 0];
  for (const decision of decisions) {
    if (decision === undefined) {
      if (turns.isOver()) await turns.next();
      continue;
    }
    chunk += rows === 0 ? JSON.stringify(decision) : `,${JSON.stringify(decision)}`;
    rows += 1;
    if (rows % ROWS_A_CHUNK !== 0) continue;
    yield chunk;
    chunk = "";
    if (turns.isOver()) await turns.next();
  }
  if (chunk !== "") yield chunk;
}

function* goneDecisions(gone: readonly string[], { filter }: StreamTold): Generator<Decision | undefined> {
  for (const [at, value] of gone.entries()) {
    if (at % ROWS_A_CHUNK === ROWS_A_CHUNK - 1) yield undefined;
    const scope = value.includes("/") ? "Range" : "Ip";
    const decision = { id: 1, origin: ORIGIN, type: TYPE, scope, value, duration: "0s", scenario: "fleetban/fleet" };
    if (filter(decision)) yield decision;
  }
}
