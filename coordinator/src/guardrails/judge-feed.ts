/**
 * The brakes of a feed: may this list replace the one before, or must an operator look first? Pure.
 *
 * A feed that suddenly shrinks or explodes, names networks of absurd width, or names what a never-ban pack holds is more
 * likely broken or taken over than right (keeps invariant 5). Judged over the whole list before the first of its listings
 * changes.
 */
import { familyOf, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";
import { type Collision, collisionText } from "./collisions.ts";
import { aboveCeiling, coverOf, NOTHING_COVERED, shareText } from "./cover.ts";
import type { Guardrails } from "./guardrails.ts";

/** Shorter ones are never listed; from a feed nobody means a 256th of the internet. */
export const NEVER_SHORTER = { 4: 8, 6: 19 } as const;

export interface JudgedFeed {
  /** What it named before; empty before its first list. */
  readonly previous: ReadonlySet<Prefix>;
  /** What it names now. */
  readonly wanted: readonly Prefix[];
  /** Named too, and so wide that they are never listed. */
  readonly tooWide: readonly Prefix[];
  /** Of `wanted`, those that something keeps from being listed. */
  readonly collisions: readonly Collision[];
  /** False = it is only observed: collisions are shown, and hold nothing. */
  readonly isEnforced: boolean;
}

/** Why it is held; nothing = it may replace the one before. */
export function judgeFeed(feed: JudgedFeed, guardrails: Guardrails): readonly string[] {
  const reasons = [
    tooWideReason(feed.tooWide),
    sizeReason(feed.previous.size, feed.wanted.length, guardrails),
    widthReason(feed, guardrails),
    coverReason(feed, guardrails),
    collisionReason(feed, guardrails),
  ];
  return reasons.filter((reason) => reason !== undefined);
}

/** So wide that an operator's approval lists it neither. */
export function isTooWide(prefix: Prefix): boolean {
  return lengthOf(prefix) < NEVER_SHORTER[familyOf(prefix)];
}

function tooWideReason([first, ...others]: readonly Prefix[]): string | undefined {
  if (first === undefined) return undefined;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return `it names ${first}${more}, wider than anything that is ever listed (approved, the rest of it is taken)`;
}

function sizeReason(before: number, after: number, { judgedFrom, shrinkTo, growTo }: Guardrails): string | undefined {
  if (before > 0 && after === 0) return `the list would be emptied, it had ${before} entries`;
  if (before < judgedFrom) return undefined;
  const had = `${after} entries, it had ${before}`;
  if (after < before * shrinkTo) return `the list shrinks to less than ${partText(shrinkTo)}: ${had}`;
  if (after > before * growTo) return `the list grows to more than ${timesText(growTo)}: ${had}`;
  return undefined;
}

function widthReason({ previous, wanted }: JudgedFeed, { widest }: Guardrails): string | undefined {
  const wide = wanted.filter((prefix) => lengthOf(prefix) < widest[familyOf(prefix)] && !previous.has(prefix));
  const [first] = wide;
  if (first === undefined) return undefined;
  return wide.length === 1
    ? `a new network is wide: ${first}`
    : `${wide.length} new networks are wide, ${first} the first of them`;
}

function coverReason({ previous, wanted }: JudgedFeed, { ceiling }: Guardrails): string | undefined {
  const after = coverOf(wanted);
  const before = previous.size === 0 ? NOTHING_COVERED : coverOf(previous);
  const [family] = aboveCeiling(before, after, ceiling);
  return family === undefined ? undefined : `it covers ${shareText(after[family], family)}`;
}

/** Only packs: what an operator allowed was allowed because somebody lists it. */
function collisionReason({ previous, collisions, isEnforced }: JudgedFeed, { collisions: most }: Guardrails) {
  const fresh = collisions.filter(({ prefix, kind }) => kind === "pack" && !previous.has(prefix));
  const bound = previous.size === 0 ? 0 : most;
  if (!isEnforced || fresh.length <= bound) return undefined;
  const what = previous.size === 0 ? "its first list collides" : "it collides anew";
  return `${what} with never-ban packs: ${collisionText(fresh)}`;
}

function partText(part: number): string {
  return part === 0.5 ? "half" : `${Math.round(part * 100)} %`;
}

function timesText(times: number): string {
  return times === 2 ? "double" : `${times} times its size`;
}
