/**
 * Goes through a whole window, some hundred prefixes at a time: what the policy makes of each, and what is listed of it now.
 *
 * Postgres reads the next slice while this one is judged: on two cores a plan takes half as long.
 */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { type JudgedSubject, type JudgeParts, judgeRead, type ReadSubjects, readSubjects } from "./judge-subjects.ts";
import { type SightedPrefix, sightedSince } from "./window-queries.ts";

export interface JudgedSlice extends Pick<ReadSubjects, "present"> {
  readonly sighted: readonly SightedPrefix[];
  readonly judged: readonly JudgedSubject[];
}

/** What a sighting weighs after so many half-lives is next to nothing. */
const HALF_LIVES = 5;

/** Since when sightings are read: some before the window are remembered when it begins. */
export function readFrom(windowFrom: UnixSeconds, policy: Policy): UnixSeconds {
  const remembered = Math.max(policy.corroborationWindowSeconds, HALF_LIVES * policy.halfLifeSeconds);
  return unixSeconds(windowFrom - remembered);
}

/** Inside a transaction that sees the database as of one moment. */
export async function* replayWindow(sql: Sql, parts: JudgeParts): AsyncGenerator<JudgedSlice> {
  let before: { sighted: readonly SightedPrefix[]; read: Promise<ReadSubjects> } | undefined;
  for await (const sighted of sightedSince(sql, readFrom(parts.from, parts.policy))) {
    const read = readSubjects(sql, sighted, parts);
    read.catch(() => undefined); // awaited with its slice, unless whoever plans has given up
    if (before !== undefined) yield await judgedSlice(before, parts);
    before = { sighted, read };
  }
  if (before !== undefined) yield await judgedSlice(before, parts);
}

async function judgedSlice(
  { sighted, read }: { sighted: readonly SightedPrefix[]; read: Promise<ReadSubjects> },
  parts: JudgeParts,
): Promise<JudgedSlice> {
  const known = await read;
  return { sighted, judged: await judgeRead(known, parts), present: known.present };
}
