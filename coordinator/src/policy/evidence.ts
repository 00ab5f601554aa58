/** What `decide` is given of one prefix: a value, gathered by the ledger under its lock. */
import { LIST_FLEET, type ListNo, type Rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Source } from "@fleetban/proto/model/sighting";
import type { UnixSeconds } from "@fleetban/proto/model/time";

/** A sighting of this commit that may count: not repeated, not over quota, of a jail with weight. */
export interface FreshSighting {
  readonly agentNo: number;
  /** A prolongation tells the real time of a ban that was sighted before. */
  readonly kind: "ban" | "prolong";
  readonly jail: string;
  readonly source: Source;
  readonly protocol: string;
  readonly at: UnixSeconds;
  /** Of the local ban; -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  readonly failures: number;
}

/** The newest sighting by one agent. */
export interface SeenBy {
  readonly agentNo: number;
  readonly jail: string;
  readonly at: UnixSeconds;
}

/** What the fleet remembers of a prefix. */
export interface Offender {
  readonly firstAt: UnixSeconds;
  readonly lastAt: UnixSeconds;
  readonly sightings: number;
  /** Of the moment `lastAt`. */
  readonly score: number;
  readonly recent: readonly SeenBy[];
  /** Nothing up to this moment counts; 0 = everything does. */
  readonly evidenceFrom: UnixSeconds;
}

/** Not voided. */
export interface Strike {
  readonly strikeNo: number;
  readonly struckAt: UnixSeconds;
  /** Never open-ended. */
  readonly until: UnixSeconds;
  /** What the ladder gave it. */
  readonly rungSeconds: number;
}

/** An operator's, not ended. */
export interface OperatorBan {
  readonly banNo: number;
  readonly until: UnixSeconds;
  readonly rank: Rank;
}

export interface FeedMention {
  readonly feedNo: number;
  readonly confidence: number;
}

/** A row of the allowlist, or a pardon, that is equal to the prefix or around it; past ones too. */
export interface Exemption {
  readonly kind: "allowed" | "pardoned";
  readonly number: number;
  readonly prefix: Prefix;
  /** When it ended or will end; 0 = open-ended. */
  readonly until: UnixSeconds;
}

/** A strike on something narrower in the prefix, in force, and not before the end of a pardon. */
export interface InsideStrike {
  readonly prefix: Prefix;
  readonly until: UnixSeconds;
  readonly agents: readonly number[];
}

/** What speaks for and against one prefix on one list. */
export interface Evidence {
  readonly prefix: Prefix;
  readonly list: ListNo;
  readonly fresh: readonly FreshSighting[];
  readonly offender: Offender | undefined;
  readonly strikes: readonly Strike[];
  readonly bans: readonly OperatorBan[];
  readonly feeds: readonly FeedMention[];
  readonly exemptions: readonly Exemption[];
  /** The fleet's own address that is the prefix. */
  readonly ownAddress: Prefix | undefined;
  /** Of a network that may be listed because of what is listed in it. */
  readonly inside: readonly InsideStrike[];
  /** Something in it that is exempt or the fleet's own: then nothing is widened over it. */
  readonly shelters: Prefix | undefined;
}

/** With nothing in it. */
export function emptyEvidence(prefix: Prefix, list: ListNo = LIST_FLEET): Evidence {
  return {
    prefix,
    list,
    fresh: [],
    offender: undefined,
    strikes: [],
    bans: [],
    feeds: [],
    exemptions: [],
    ownAddress: undefined,
    inside: [],
    shelters: undefined,
  };
}
