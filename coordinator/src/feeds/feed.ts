/** What a feed is: its definition from the policy, what it names, and what can come of asking for it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixMs } from "@fleetban/proto/model/time";
import type { Licence } from "./licence.ts";

/** `observe`: fetched and counted, nothing is listed for it. */
export type FeedMode = "off" | "observe" | "enforce";

/** Which of a publisher's entries are wanted, where it tells their country or network. */
export interface EntryFilter {
  /** ISO 3166 alpha-2, upper case; none = all. */
  readonly onlyCountries: readonly string[];
  readonly exceptCountries: readonly string[];
  /** Numbers of autonomous systems; none = all. */
  readonly onlyNetworks: readonly number[];
  /** Absent = both. */
  readonly ipVersion?: 4 | 6;
}

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
  /** Asks for the form without scores; every entry then counts as at `confidenceMinimum`. */
  readonly plaintext: boolean;
}

export const LIST_FORMATS = ["plain", "netset", "csv", "spamhaus", "dshield", "mmdb"] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** Where the values stand in a line of a `csv`: a number from 1, or the name in its first line. */
export interface CsvColumns {
  readonly separator: string;
  readonly prefix: string;
  /** Last address of a range that begins in `prefix`. */
  readonly end?: string;
  readonly confidence?: string;
  readonly country?: string;
  readonly network?: string;
}

export interface ListSettings {
  readonly at: { readonly kind: "url"; readonly url: string } | { readonly kind: "file"; readonly path: string };
  readonly format: ListFormat;
  readonly columns: CsvColumns;
  /** Of entries for which the list tells none. */
  readonly confidence: number;
  /** Entries that the list gives less are left out. */
  readonly confidenceMinimum: number;
  /** The publisher wants no calls closer together, by hand or not. */
  readonly paceSeconds: number;
  /** Of the body, as sent and as unpacked. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** No entries is news, not a fault. */
  readonly mayBeEmpty: boolean;
  /** A list whose own date is older is refused; 0 = its date is not looked at. */
  readonly oldestSeconds: number;
}

interface FeedBasics {
  readonly name: string;
  readonly mode: FeedMode;
  /** Name of the list that it goes to. */
  readonly list: string;
  /** How often a fetch is due, with jitter after it. */
  readonly everySeconds: number;
  /** A listing ends so long after the last good fetch that named it. */
  readonly staleAfterSeconds: number;
  readonly licence: Licence;
  readonly filter: EntryFilter;
}

export interface AbuseIpdbFeed extends FeedBasics {
  readonly kind: "abuseipdb";
  readonly abuseipdb: AbuseIpdbSettings;
}

export interface ListFeed extends FeedBasics {
  readonly kind: "list";
  readonly settings: ListSettings;
}

export type FeedDefinition = AbuseIpdbFeed | ListFeed;

/** One prefix that the feed names, as the feed spells it (a single IPv6 address stays one). */
export interface FeedEntry {
  readonly prefix: Prefix;
  /** 0 to 100. */
  readonly confidence: number;
}

/** Why a line of a list was left out. */
export const REFUSED_KINDS = [
  "not-an-address",
  "special-purpose",
  "own-address",
  "below-confidence",
  "other-country",
  "other-network",
  "other-family",
  "duplicate",
] as const;
export type RefusedKind = (typeof REFUSED_KINDS)[number];
export type RefusedCounts = Readonly<Partial<Record<RefusedKind, number>>>;

/** For operators: which line, and what is wrong with it. */
export interface RefusedLine {
  readonly kind: RefusedKind;
  /** From 1; of JSON the number of the entry. */
  readonly line: number;
  /** Cut and in plain ASCII. */
  readonly text: string;
  readonly problem: string;
}

export interface FeedList {
  /** When the publisher made it, where it says so. */
  readonly generatedAt: UnixMs | undefined;
  /** Of the body, hexadecimal. */
  readonly sha256: string;
  readonly entries: readonly FeedEntry[];
  /** So wide that they are never listed; not among the entries. */
  readonly tooWide: readonly Prefix[];
  readonly refused: RefusedCounts;
  /** A few of each kind. */
  readonly refusedLines: readonly RefusedLine[];
  /** Lines that should have been entries, the refused ones among them. */
  readonly lines: number;
  /** What an operator should know though the list is good: the publisher gave less than was asked for. */
  readonly note?: string;
}

/** What a publisher gives to ask with the next time. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** What the feed's headers said of the quota. */
export interface RateNotice {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** When it may be asked again, if it said so. */
  readonly retryAt: UnixMs | undefined;
}

/** Why a fetch brought no list. Every one leaves the old list in force. */
export type FetchFailure =
  /** The calls of the day are used up. */
  | "quota-exhausted"
  /** Asked too soon or too often; not a matter of the day's calls. */
  | "rate-limited"
  | "unauthorized"
  | "refused-request"
  | "refused-body"
  | "unavailable";

export type FetchAnswer =
  | { readonly kind: "list"; readonly list: FeedList; readonly rate: RateNotice; readonly validators: Validators }
  /** The publisher says that its list is the one that was taken. */
  | { readonly kind: "not-modified"; readonly rate: RateNotice }
  | { readonly kind: FetchFailure; readonly reason: string; readonly rate: RateNotice };

export const NOTHING_SAID: RateNotice = { limit: undefined, remaining: undefined, retryAt: undefined };

/** Of a fetch, as `feed_fetches.outcome` keeps it. `approved` = a held list that an operator let in. */
export type FetchOutcome = "fetched" | "unchanged" | "held" | "approved" | FetchFailure;
