/** What a feed is: its definition from the configuration, what it names, and what can come of asking for it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixMs } from "@fleetban/proto/model/time";

/** `observe`: fetched and counted, nothing is listed for it. */
export type FeedMode = "off" | "observe" | "enforce";

export interface AbuseIpdbSettings {
  /** The base of the API, `https://api.abuseipdb.com/api/v2`. */
  readonly url: string;
  /** Secret: never in the database or a log. */
  readonly key: string;
  /** 25 to 100; a free key gets 100 whatever it asks for. */
  readonly confidenceMinimum: number;
  /** Most entries to ask for. */
  readonly limit: number;
  /** Of `/blacklist`, a UTC day. */
  readonly callsPerDay: number;
  /** Calls of a day that the schedule leaves for fetches by hand. */
  readonly callsKept: number;
}

export interface FeedDefinition {
  readonly name: string;
  readonly kind: "abuseipdb";
  readonly mode: FeedMode;
  /** How often a fetch is due, with jitter after it. */
  readonly everySeconds: number;
  /** A listing ends so long after the last good fetch that named it. */
  readonly staleAfterSeconds: number;
  readonly abuseipdb: AbuseIpdbSettings;
}

/** One prefix that the feed names, as the feed spells it (a single IPv6 address stays one). */
export interface FeedEntry {
  readonly prefix: Prefix;
  /** 0 to 100. */
  readonly confidence: number;
}

export interface FeedList {
  readonly generatedAt: UnixMs;
  /** Of the body, hexadecimal. */
  readonly sha256: string;
  readonly entries: readonly FeedEntry[];
  /** Entries left out: no address, a special-purpose range, below the wanted confidence, named twice. */
  readonly refused: Readonly<Record<RefusedKind, number>>;
}

export type RefusedKind = "not-an-address" | "special-purpose" | "below-confidence" | "duplicate";

/** What the feed's headers said of the quota. */
export interface RateNotice {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** When it may be asked again, if it said so. */
  readonly retryAt: UnixMs | undefined;
}

/** Why a fetch brought no list. Every one leaves the old list in force. */
export type FetchFailure = "quota-exhausted" | "unauthorized" | "refused-request" | "refused-body" | "unavailable";

export type FetchAnswer =
  | { readonly kind: "list"; readonly list: FeedList; readonly rate: RateNotice }
  | { readonly kind: FetchFailure; readonly reason: string; readonly rate: RateNotice };

/** Of a fetch, as `feed_fetches.outcome` keeps it. `approved` = a held list that an operator let in. */
export type FetchOutcome = "fetched" | "unchanged" | "held" | "approved" | FetchFailure;
