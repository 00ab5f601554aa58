/**
 * What a policy makes of subjects (prefixes on lists) whose sightings are given: strikes to take back and to add, what is
 * then known of the offender, and the listing. The plan asks this of the whole window and writes nothing; whoever applies a
 * policy or rolls one back asks it again under the ledger's lock and writes what it says.
 */
import type { Turns } from "@fleetban/kit/turns";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { type PresentListing, selectListings } from "../ledger/change-queries.ts";
import { listFor } from "../ledger/conclude.ts";
import { selectEvidence } from "../ledger/evidence-queries.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import { decide, type Verdict } from "../policy/decide.ts";
import { type Evidence, type Exemption, emptyEvidence, type Strike } from "../policy/evidence.ts";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { compareStrikes, type StrikeChanges } from "./compare-strikes.ts";
import { type Replayed, replayOffender } from "./replay-offender.ts";
import { type SightedPrefix, strikesSince } from "./window-queries.ts";

export interface JudgeParts {
  readonly policy: Policy;
  readonly lists: ReadonlyMap<ListNo, List>;
  /** Sightings received before it are remembered only: what they struck stands. */
  readonly from: UnixSeconds;
  readonly now: UnixSeconds;
  readonly begunAt: (exemption: Exemption) => number;
  /** Sightings of agents are committed in the same process. */
  readonly turns: Turns;
}

export interface JudgedSubject extends Subject {
  /** As it was, with all strikes that are there. */
  readonly known: Evidence;
  /** Of the known ones those that sightings of the window made. */
  readonly windowStrikes: readonly Strike[];
  readonly replayed: Replayed;
  readonly strikes: StrikeChanges;
  /** With the replayed strikes in place of the window's. */
  readonly verdict: Verdict;
}

/**
 * A strike whose sighting was received just before the window may have been made just after it began: it counts as made
 * before, and the replay finds it there.
 */
const COMMITTED_WITHIN_SECONDS = 300;

/** What the database says of them. */
export interface ReadSubjects {
  readonly subjects: readonly Subject[];
  readonly evidence: ReadonlyMap<string, Evidence>;
  readonly sightingsByKey: ReadonlyMap<string, SightedPrefix["sightings"]>;
  /** Strikes that sightings of the window made. */
  readonly madeNumbers: ReadonlySet<number>;
  readonly present: ReadonlyMap<string, PresentListing>;
}

export async function judgeSubjects(
  sql: Sql,
  sighted: readonly SightedPrefix[],
  parts: JudgeParts,
): Promise<JudgedSubject[]> {
  return judgeRead(await readSubjects(sql, sighted, parts), parts);
}

export async function readSubjects(
  sql: Sql,
  sighted: readonly SightedPrefix[],
  { policy, lists, from }: Pick<JudgeParts, "policy" | "lists" | "from">,
): Promise<ReadSubjects> {
  const routed = sighted.flatMap(({ prefix, sightings }) => {
    const byList = Map.groupBy(sightings, ({ jail }) => listFor(jail, policy, lists));
    return [...byList].map(([list, some]) => ({ prefix, list, sightings: some }));
  });
  const prefixes = sighted.map(({ prefix }) => prefix);
  const made = await strikesSince(sql, prefixes, (from + COMMITTED_WITHIN_SECONDS) as UnixSeconds);
  const subjects = distinctSubjects([...routed, ...made]);
  const [evidence, listings] = await Promise.all([selectEvidence(sql, subjects), selectListings(sql, subjects)]);
  return {
    subjects,
    evidence,
    sightingsByKey: new Map(routed.map((one) => [subjectKey(one), one.sightings])),
    madeNumbers: new Set(made.map(({ strikeNo }) => strikeNo)),
    present: new Map(listings.map((listing) => [subjectKey(listing), listing])),
  };
}

export async function judgeRead(read: ReadSubjects, parts: JudgeParts): Promise<JudgedSubject[]> {
  const all: JudgedSubject[] = [];
  for (const { prefix, list } of read.subjects) {
    if (parts.turns.isOver()) await parts.turns.next();
    const key = subjectKey({ prefix, list });
    const known = read.evidence.get(key) ?? emptyEvidence(prefix, list);
    all.push(judged(known, read.sightingsByKey.get(key) ?? [], read.madeNumbers, parts));
  }
  return all;
}

function judged(
  known: Evidence,
  sightings: SightedPrefix["sightings"],
  madeNumbers: ReadonlySet<number>,
  { policy, from, now, begunAt }: JudgeParts,
): JudgedSubject {
  const windowStrikes = known.strikes.filter(({ strikeNo }) => madeNumbers.has(strikeNo));
  const earlier = known.strikes.filter(({ strikeNo }) => !madeNumbers.has(strikeNo));
  const replayed = replayOffender({ ...known, strikes: earlier }, sightings, policy, { from, begunAt });
  const extended = new Map(replayed.extended.map((strike) => [strike.strikeNo, strike]));
  const strikes = [...earlier.map((strike) => extended.get(strike.strikeNo) ?? strike), ...replayed.strikes];
  return {
    prefix: known.prefix,
    list: known.list,
    known,
    windowStrikes,
    replayed,
    strikes: compareStrikes(windowStrikes, replayed.strikes),
    verdict: decide({ ...known, offender: replayed.offender ?? known.offender, strikes }, policy, now),
  };
}

const SCORES_DIFFER = 0.01; // `real` in the database

/** Whether anything must be written for it. */
export function isChanged({ known, replayed, strikes }: JudgedSubject): boolean {
  if (strikes.voided.length + strikes.added.length + replayed.extended.length > 0) return true;
  const before = known.offender?.score ?? 0;
  const after = replayed.offender?.score ?? 0;
  return Math.abs(before - after) > SCORES_DIFFER * Math.max(before, after);
}
