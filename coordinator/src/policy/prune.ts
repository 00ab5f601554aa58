/**
 * Whether an open-ended listing has outlived its use: nobody has tried to come in from there, at any server, for so long.
 *
 * Pure. No packets counted is not the same as no packets: it needs every server that enforces the list to have counted all
 * the time. What can't be known keeps the listing.
 */
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { Policy } from "./policy.ts";

export interface OpenEndedListing {
  /** When it was listed, or banned anew. */
  readonly since: UnixSeconds;
  /** The newest packet or sighting that is known; undefined = none ever. */
  readonly lastTriedAt: UnixSeconds | undefined;
  /** Narrower listings inside it take their packets to themselves: those are not counted for it. */
  readonly hasListingsInside: boolean;
}

/** An agent in force whose group enforces the list. */
export interface Witness {
  readonly name: string;
  readonly enrolledAt: UnixSeconds;
  /** Undefined = never. */
  readonly lastSeenAt: UnixSeconds | undefined;
  /** Undefined = its kernel does not count. */
  readonly countingSince: UnixSeconds | undefined;
}

export type PruneVerdict =
  | { readonly kind: "prune" }
  /** Never. */
  | { readonly kind: "off" }
  | { readonly kind: "kept"; readonly because: "tried" | "young"; readonly notBefore: UnixSeconds }
  | { readonly kind: "kept"; readonly because: "listings-inside" }
  /** By whom it is not known; undefined = nobody has counted for long enough. */
  | { readonly kind: "kept"; readonly because: "not-counted"; readonly agent: string | undefined };

const DAY_SECONDS = 86_400;
/** Whoever was away for longer may have packets to tell of. */
const SEEN_WITHIN_SECONDS = 2 * DAY_SECONDS;
/** From enrollment to the first report. */
const BEGINS_WITHIN_SECONDS = DAY_SECONDS;

export function judgeIdle(
  listing: OpenEndedListing,
  witnesses: readonly Witness[],
  { pruneAfterSeconds }: Pick<Policy, "pruneAfterSeconds">,
  now: UnixSeconds,
): PruneVerdict {
  if (pruneAfterSeconds === 0) return { kind: "off" };
  const from = unixSeconds(now - pruneAfterSeconds);
  const tried = listing.lastTriedAt ?? unixSeconds(0);
  const idleSince = unixSeconds(Math.max(listing.since, tried));
  if (idleSince > from) {
    const because = tried >= listing.since ? "tried" : "young";
    return { kind: "kept", because, notBefore: unixSeconds(idleSince + pruneAfterSeconds) };
  }
  if (listing.hasListingsInside) return { kind: "kept", because: "listings-inside" };
  // Who has not been seen for all that time is taken to be gone.
  const there = witnesses.filter(({ lastSeenAt }) => lastSeenAt !== undefined && lastSeenAt > from);
  const unknown = there.find((witness) => !hasCounted(witness, from, now));
  const isLongEnough = there.some(({ countingSince }) => countingSince !== undefined && countingSince <= from);
  if (unknown === undefined && isLongEnough) return { kind: "prune" };
  return { kind: "kept", because: "not-counted", agent: unknown?.name };
}

function hasCounted(
  { enrolledAt, lastSeenAt = enrolledAt, countingSince }: Witness,
  from: number,
  now: number,
): boolean {
  if (countingSince === undefined || lastSeenAt <= now - SEEN_WITHIN_SECONDS) return false;
  return countingSince <= Math.max(from, enrolledAt + BEGINS_WITHIN_SECONDS);
}
