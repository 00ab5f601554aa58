/** The answer to `/v1/decisions/stream`, text in chunks with turns for others between. */
import type { Turns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Edition } from "../edition.ts";
import { type Decision, decisionAt, ORIGIN, TYPE } from "./decision.ts";
import type { Filter } from "./filters.ts";
import { newestWords, type Step, type Word } from "./steps.ts";

export interface StreamTold {
  readonly filter: Filter;
  /** The token's. */
  readonly maxRank: number;
  readonly now: UnixSeconds;
  /**
   * What the bouncer has already it leaves as it is, so that another end must be told as gone and new. Others do without,
   * and those that take out last would lose it.
   */
  readonly passesOverKnown: boolean;
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
 * Of several steps the newest word about a prefix is the one that counts: most bouncers take out what is told as gone before
 * they put in what is told as new, others after it, whatever the order in which it happened.
 *
 * Read twice, for the one and for the other: it is never in memory as a whole, however far behind the bouncer is.
 */
export async function* changesText(steps: readonly Step[], told: StreamTold, turns: Turns): AsyncGenerator<string> {
  yield '{"new":[';
  yield* joined(newDecisions(steps, told), turns);
  yield '],"deleted":[';
  yield* joined(goneByChange(steps, told), turns);
  yield "]}";
}

function* newDecisions(steps: readonly Step[], told: StreamTold): Generator<Decision | undefined> {
  for (const word of wordsOf(steps)) yield word === undefined ? undefined : newDecision(word, told);
}

function* goneByChange(steps: readonly Step[], told: StreamTold): Generator<Decision | undefined> {
  for (const word of wordsOf(steps)) {
    if (word === undefined) yield undefined;
    // Whether the bouncer was told of it once, nobody knows any more: to be told that it is gone does no harm.
    else if (word.isGone && (told.passesOverKnown || newDecision(word, told) === undefined)) {
      const decision = { ...decisionAt(word.columns, word.row, told.now), duration: "0s" };
      if (told.filter.mayHave(decision)) yield decision;
    }
  }
}

function* wordsOf(steps: readonly Step[]): Generator<Word | undefined> {
  for (const family of steps[0]?.added.keys() ?? []) yield* newestWords(steps, family);
}

function newDecision({ columns, row, isThere }: Word, { filter, maxRank, now }: StreamTold): Decision | undefined {
  if (!isThere || (columns.ranks[row] ?? 0) > maxRank) return undefined;
  const decision = decisionAt(columns, row, now);
  return filter.wants(decision) ? decision : undefined;
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
      if (told.filter.wants(decision)) yield decision;
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
    if (filter.mayHave(decision)) yield decision;
  }
}
