/**
 * The digest of what the kernel holds of a list (PROTOCOL §4): computed from what was read from the kernel, which is the
 * point of it: one entry deleted or added behind the agent's back changes it.
 *
 * Summed are the mirror's listings above the line that are in the set or have expired, and every entry that the mirror
 * does not want. Entries that the brake keeps are left out (they are counted).
 */

import type { Clock } from "@fleetban/kit/clock";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import { type Digest, DigestSum } from "@fleetban/proto/model/digest";
import { type Family, familyOf } from "@fleetban/proto/model/prefix";
import { listingsOf, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { Cut } from "./cut.ts";
import type { EntryTable } from "./entry-table.ts";
import type { EnforcedList } from "./wanted.ts";

export interface KernelDigestParts {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly cut: Pick<Cut, "isAbove">;
  readonly ledgerNow: () => UnixSeconds;
}

/** `found` = the list's sets as they were just read. */
export async function kernelDigestOfList(
  { clock, cut, ledgerNow }: KernelDigestParts,
  { list, held }: EnforcedList,
  found: Readonly<Record<Family, EntryTable>>,
): Promise<Digest> {
  const { blocklist } = held;
  const sum = new DigestSum(blocklist.key, blocklist.list);
  const turns = createBackgroundTurns(clock);
  const now = ledgerNow();
  const isWanted = (listing: Parameters<Cut["isAbove"]>[1]) =>
    list.effect === "exempt" || cut.isAbove(list.list, listing);

  for (const listing of listingsOf(blocklist.columns())) {
    const isIn = found[familyOf(listing.prefix)].has(listing.prefix);
    if ((isIn || isExpired(listing.until, now)) && isWanted(listing)) sum.addEntry(listing.prefix);
    if (turns.isOver()) await turns.next();
  }
  const entries = [found[4], found[6]].map((table) => table.columns((_end, isKept) => !isKept));
  for (const prefix of prefixesOf(entries)) {
    const listing = blocklist.get(prefix);
    const isForeign = listing === undefined || (!isExpired(listing.until, now) && !isWanted(listing));
    if (isForeign) sum.addEntry(prefix);
    if (turns.isOver()) await turns.next();
  }
  return sum.digest;
}
