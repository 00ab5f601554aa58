/** What is published of some lists at one moment: merged, carved, sorted. Every format and every bouncer gets it from here. */
import type { Epoch, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";

export interface EditionKey {
  /** Ascending. */
  readonly lists: readonly ListNo[];
  /** For machines of the operator's own: also what a feed's terms forbid to publish. */
  readonly isForOwnUse: boolean;
}

export interface Edition {
  /** Counts editions of this key in this process, from 1. */
  readonly no: number;
  /** Names of the lists. */
  readonly lists: readonly string[];
  readonly isForOwnUse: boolean;
  /** IPv4, then IPv6. */
  readonly families: readonly ListingColumns[];
  readonly size: number;
  readonly epoch: Epoch;
  /** Of the ledger: everything up to here is in it. */
  readonly revision: Revision;
  readonly asOf: UnixSeconds;
  /** When the next listing or hole ends and the edition is no longer right; 0 = never by itself. */
  readonly goodUntil: UnixSeconds;
  /** Listings that would have become too many when holes were cut out of them. */
  readonly leftOut: number;
}

export function keyText({ lists, isForOwnUse }: EditionKey): string {
  return `${lists.join("+")}${isForOwnUse ? " own" : ""}`;
}
