/**
 * Would a feed have stopped an offender before its first attempt? Counted as offenders come, since a feed's prefixes go
 * again: what it named last week is not known today.
 *
 * Each sighting is looked at once: the span and its counts are one transaction.
 */
import { feedRank } from "@fleetban/proto/model/listing";
import type { Store } from "../store/store.ts";
import { addOverlaps, lockSpan, selectOverlaps } from "./overlap-queries.ts";

export async function countOverlaps(store: Pick<Store, "transaction">): Promise<void> {
  await store.transaction(async (sql) => {
    const span = await lockSpan(sql);
    if (span.untilAt <= span.fromAt) return;
    const overlaps = await selectOverlaps(sql, span);
    const ranked = overlaps.map(({ confidence, ...one }) => ({
      ...one,
      rank: one.feedNo === 0 ? 0 : feedRank(confidence),
    }));
    await addOverlaps(sql, ranked, span);
  });
}
