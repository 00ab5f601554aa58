/** Mistakes between values of the judging part, each of which is right by itself. */
import type { ComplainAt } from "@fleetban/kit/config";
import { formatDuration } from "@fleetban/kit/duration";
import { nearest } from "@fleetban/kit/nearest";
import { durationSeconds } from "./duration-text.ts";
import type { PolicyFile } from "./policy-table.ts";

/** Names of the ledger's own lists, and of sets that agents make beside them. */
const TAKEN_NAMES: ReadonlySet<string> = new Set(["exempt", "fleet", "feeds", "probe", "trial", "own", "local"]);
/** A kernel set's name has 31 bytes: `fleetban-` before it, `-v4-n` behind. */
const LIST_NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const LIST_NAME_MAX = 15;
const LISTS_MAX = 16; // each is a pair of kernel sets and a rule on every agent

export function compareJudgement(file: PolicyFile, complain: ComplainAt): void {
  compareLengths(file, complain);
  compareNames(file, complain);
}

function compareLengths(file: PolicyFile, complain: ComplainAt): void {
  const { "strikes.minimum": minimum, "strikes.maximum": maximum, "strikes.ladder": ladder } = file;
  if (minimum > maximum) {
    complain(["strikes", "minimum"], `is longer than strikes.maximum (${secondsText(maximum)}); make one of them fit`);
  }
  if (ladder.length === 0) complain(["strikes", "ladder"], "is empty: give one duration at least");
  const rungs = ladder.map((text) => durationSeconds(text) ?? 0);
  const lower = rungs.findIndex((rung, at) => at > 0 && rung < (rungs[at - 1] ?? 0));
  if (lower > 0) {
    const problem = `has ${ladder[lower]} after ${ladder[lower - 1]}: a later strike would list for less; put them in order`;
    complain(["strikes", "ladder"], problem);
  }
  const longest = Math.max(0, ...rungs);
  if (longest * 1_000 > maximum) {
    const problem = `has ${formatDuration(longest)}, and strikes.maximum is ${secondsText(maximum)}; raise that or leave the rung out`;
    complain(["strikes", "ladder"], problem);
  }
}

function compareNames(file: PolicyFile, complain: ComplainAt): void {
  const names = Object.keys(file.lists);
  for (const name of names) {
    if (TAKEN_NAMES.has(name)) complain(["lists", name], "is a name that fleetban uses itself; choose another");
    else if (!LIST_NAME.test(name) || name.length > LIST_NAME_MAX) {
      complain(["lists", name], `must be 1 to ${LIST_NAME_MAX} of a-z, 0-9 and -, a letter first; choose another`);
    }
  }
  if (names.length > LISTS_MAX) {
    complain(["lists"], `are ${names.length}: ${LISTS_MAX} at most, for each is two kernel sets on every agent`);
  }
  for (const [jail, { list }] of Object.entries(file.jails)) {
    if (list !== "fleet" && !names.includes(list))
      complain(["jails", jail, "list"], noSuchList(list, ["fleet", ...names]));
  }
  const forGroups = [...new Set(["fleet", "feeds", ...names])];
  for (const [group, { lists }] of Object.entries(file.groups)) {
    const unknown = lists.find((list) => !forGroups.includes(list));
    if (unknown !== undefined) complain(["groups", group, "lists"], noSuchList(unknown, forGroups));
  }
}

function noSuchList(list: string, known: readonly string[]): string {
  const meant = nearest(list, known);
  const remedy = meant === undefined ? `there are ${known.join(", ")}` : `did you mean ${meant}?`;
  return `is ${JSON.stringify(list)}, which is no list of this file; ${remedy}`;
}

function secondsText(milliseconds: number): string {
  return formatDuration(milliseconds / 1_000);
}
