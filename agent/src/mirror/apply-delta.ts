/**
 * A delta onto a blocklist: proven first, then carried out, so that one that differs has changed nothing.
 *
 * The digest and the count after it are worked out from what stands there; only if both are what the ledger says is
 * the list touched (keeps invariant 2). Both passes give way to other work.
 */
import type { Turns } from "@fleetban/kit/turns";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { type Digest, DigestSum } from "@fleetban/proto/model/digest";
import type { Listing } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { MirrorChange } from "./held.ts";

/** The part of a delta that is about listings. A prefix is in one of the two at most. */
export interface DeltaChanges {
  readonly remove: readonly Prefix[];
  readonly put: readonly Listing[];
  readonly digest: Digest;
  readonly listings: number;
}

/** What is wrong with the delta on this list, or undefined. */
export async function differenceAfter(
  blocklist: Blocklist,
  { remove, put, digest, listings }: DeltaChanges,
  turns: Turns,
): Promise<string | undefined> {
  const sum = new DigestSum(blocklist.key, blocklist.list, blocklist.digest);
  let count = blocklist.size;
  for (const prefix of remove) {
    const before = blocklist.get(prefix);
    if (before !== undefined) {
      sum.removeListing(before);
      count -= 1;
    }
    if (turns.isOver()) await turns.next();
  }
  for (const listing of put) {
    const before = blocklist.get(listing.prefix);
    if (before === undefined) count += 1;
    else sum.removeListing(before);
    sum.addListing(listing);
    if (turns.isOver()) await turns.next();
  }
  if (count !== listings) return `${count} listings where the ledger has ${listings}`;
  if (sum.digest === digest) return undefined;
  return `digest ${sum.digest.toString(16)} where the ledger has ${digest.toString(16)}`;
}

/** Gives what really changed. */
export async function carryOut(
  blocklist: Blocklist,
  { remove, put }: Pick<DeltaChanges, "remove" | "put">,
  turns: Turns,
): Promise<readonly MirrorChange[]> {
  const changes: MirrorChange[] = [];
  for (const prefix of remove) {
    const before = blocklist.remove(prefix);
    if (before !== undefined) changes.push({ prefix, before, after: undefined });
    if (turns.isOver()) await turns.next();
  }
  for (const after of put) {
    changes.push({ prefix: after.prefix, before: blocklist.put(after), after });
    if (turns.isOver()) await turns.next();
  }
  return changes;
}
