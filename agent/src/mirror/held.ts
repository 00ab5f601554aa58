/** What the mirror holds of one list, and where that stands in the list's history. */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { Digest } from "@fleetban/proto/model/digest";
import type { Epoch, List, Listing, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";

export interface Held {
  readonly blocklist: Blocklist;
  readonly epoch: Epoch;
  readonly revision: Revision;
  /** The ledger's clock at that revision's commit; 0 = not told (a snapshot). */
  readonly committedAtMs: number;
  /** False between a snapshot, which is believed by its SHA-256, and the end of summing it. */
  readonly isDigestProven: boolean;
}

/** `held` is absent until the first snapshot: that is no mirror, not an empty one (invariant 4). */
export interface MirroredList {
  readonly list: List;
  readonly held: Held | undefined;
}

/** As the coordinator is told of it in Hello. */
export interface Position {
  readonly list: ListNo;
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly digest: Digest;
}

/** A change that was carried out, with what stood there before. */
export interface MirrorChange {
  readonly prefix: Prefix;
  readonly before: Listing | undefined;
  readonly after: Listing | undefined;
}
