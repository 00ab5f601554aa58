/** Listings, the lists they stand on, and the numbers that name points in a list's history. */
import type { Brand } from "@fleetban/kit/brand";
import type { Prefix } from "./prefix.ts";
import type { UnixSeconds } from "./time.ts";

/** 0 is kept first where a machine cannot hold everything; 0 to 255. On an exempt list it tells why. */
export type Rank = Brand<number, "Rank">;
/** Number of a list, never reused. */
export type ListNo = Brand<number, "ListNo">;
/** Of one list; numbers may be skipped. Below 2^53. */
export type Revision = Brand<number, "Revision">;
/** Of one spool incarnation. Below 2^53. */
export type Seq = Brand<number, "Seq">;
/** The ledger's incarnation: 32 hexadecimal digits, lower case. */
export type Epoch = Brand<string, "Epoch">;

export interface Listing {
  readonly prefix: Prefix;
  readonly until: UnixSeconds;
  readonly rank: Rank;
  /** On an exempt list when the pardon began, else 0. */
  readonly begun: UnixSeconds;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export type Reach =
  | { readonly kind: "all-traffic" }
  | { readonly kind: "ports"; readonly protocol: string; readonly ranges: readonly PortRange[] }
  | { readonly kind: "unknown" };

/** What an agent doesn't know, effect or reach, it mirrors and does not enforce. */
export interface List {
  readonly list: ListNo;
  readonly name: string;
  readonly effect: "deny" | "exempt" | "unknown";
  readonly reach: Reach;
  readonly leaseSeconds: number;
  /** Features that an agent must honor to be given this list. */
  readonly requires: readonly number[];
  /** The probe's list: only documentation ranges may be on it. */
  readonly documentationOnly: boolean;
}

export const MAX_RANK = 255; // one byte in a blocklist's columns

export function rank(value: number): Rank {
  return value as Rank;
}

export function listNo(value: number): ListNo {
  return value as ListNo;
}

export function revision(value: number): Revision {
  return value as Revision;
}

export function seq(value: number): Seq {
  return value as Seq;
}

/** Ranks on deny lists. */
export const RANK = {
  operator: rank(0),
  /** Repeat offenders. */
  repeat: rank(1),
  fleet: rank(2),
  /** Feeds at confidence 100 … */
  feedHigh: rank(3),
  /** … and at 25 and below. */
  feedLow: rank(10),
} as const;

// Ranks on exempt lists.
export const ALLOWED = rank(0);
export const PARDONED = rank(1);
/** Lifts also what a server's own source bans after the pardon. */
export const PARDONED_LOCAL = rank(2);
/** A protected address inside a wider listing. */
export const HOLE = rank(3);

export const LIST_EXEMPT = listNo(1);
export const LIST_FLEET = listNo(2);
export const LIST_FEEDS = listNo(3);
export const LIST_PROBE = listNo(4);
/** What a policy on trial would add. */
export const LIST_TRIAL = listNo(5);

/** 100 → `feedHigh`, 25 and below → `feedLow`, evenly between. */
export function feedRank(confidence: number): Rank {
  const bounded = Math.min(100, Math.max(25, confidence));
  const steps = RANK.feedLow - RANK.feedHigh;
  return rank(RANK.feedHigh + Math.round(((100 - bounded) * steps) / 75));
}
