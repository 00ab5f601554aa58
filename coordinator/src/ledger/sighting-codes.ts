/** The small numbers that `sightings` and `revisions` hold, and their names. Never reused. */
import type { SightingKind, Source } from "@fleetban/proto/model/sighting";
import type { Cause } from "./ledger.ts";

/** What became of a sighting. All are stored and acknowledged; only `counted` is evidence. */
export type Outcome =
  | "counted"
  /** The same act was counted before. */
  | "repeated"
  /** Prolonged, restored or unbanned by hand: no strike. */
  | "no-strike"
  | "over-quota"
  | "too-wide"
  | "too-old"
  | "special-purpose"
  | "own-address"
  | "allowed"
  | "pardoned"
  /** The policy gives its jail no weight. */
  | "weightless"
  /** Nothing is decided while the clock is held; counted when the hold ends. */
  | "held";

const KINDS: Readonly<Record<SightingKind, number>> = { ban: 1, prolong: 2, restored: 3, "unban-by-hand": 4 };
const SOURCES: Readonly<Record<Source, number>> = { fail2ban: 1, log: 2, socket: 3, import: 4 };
const OUTCOMES: Readonly<Record<Outcome, number>> = {
  counted: 1,
  repeated: 2,
  "no-strike": 3,
  "over-quota": 4,
  "too-wide": 5,
  "too-old": 6,
  "special-purpose": 7,
  "own-address": 8,
  allowed: 9,
  pardoned: 10,
  weightless: 11,
  held: 12,
};
const CAUSES: Readonly<Record<Cause["kind"], number>> = {
  sightings: 1,
  operator: 2,
  feed: 3,
  expiry: 4,
  policy: 5,
  claim: 6,
};

/** Refused for what it is; over quota is counted apart. */
const REFUSED: ReadonlySet<Outcome> = new Set([
  "too-wide",
  "too-old",
  "special-purpose",
  "own-address",
  "allowed",
  "pardoned",
]);

export const kindCode = (kind: SightingKind) => KINDS[kind];
export const sourceCode = (source: Source) => SOURCES[source];
export const outcomeCode = (outcome: Outcome) => OUTCOMES[outcome];
export const causeCode = (cause: Cause["kind"]) => CAUSES[cause];
export const isRefused = (outcome: Outcome) => REFUSED.has(outcome);

export const kindName = (code: number) => nameOf(KINDS, code) as SightingKind;
export const sourceName = (code: number) => nameOf(SOURCES, code) as Source;
export const outcomeName = (code: number) => nameOf(OUTCOMES, code) as Outcome;
export const causeName = (code: number) => nameOf(CAUSES, code) as Cause["kind"];

function nameOf(codes: Readonly<Record<string, number>>, wanted: number): string {
  const found = Object.entries(codes).find(([, code]) => code === wanted);
  if (found === undefined) throw new Error(`internal error: no name for code ${wanted}`);
  return found[0];
}
