/**
 * Brings the lists of the feeds to what the feeds name: in slices, each a commit of its own that gives the ledger's row back.
 *
 * Nothing is remembered between slices: whoever comes after an interruption compares `feed_prefixes` with the listings
 * anew and goes on (PROTOCOL §3). Each slice looks, under the ledger's lock, whether the feeds still name what the plan was
 * made from; if not, the plan is thrown away and made again. Pardons and allows that come in between are kept by
 * `Ledger.write`, which refuses what they cover.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { ListChange } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import { brakeChanges } from "./brake-changes.ts";
import { keepLease, type Lease } from "./lease.ts";
import {
  type ListBasis,
  selectBasis,
  selectExempt,
  selectNotEnforced,
  selectPresent,
  selectWishes,
} from "./list-queries.ts";
import type { FeedsParts } from "./parts.ts";
import { type ListingChange, type PresentListing, planListings, V6_NETWORK, wantedListings } from "./plan-listings.ts";
import { createPrefixCover } from "./prefix-cover.ts";

export interface Synced {
  readonly changed: number;
  readonly slices: number;
}

const CHANGES_PER_SLICE = 2_000;
/** Sightings that wait for the ledger's row get it in between: they stand in its queue before the next slice does. */
const REST_MS = 2;
const REPLANS_MAX = 5;
const KEEP_LEASE_EVERY_MS = 30_000;

interface SyncPlan {
  readonly basis: ListBasis;
  readonly changes: readonly ListChange[];
  /** An operator stands behind it: by approving the list, or by switching a feed off. */
  readonly isApproved: boolean;
}

/** Under the lease, which the caller holds and gives back; ends when it is somebody else's. */
export async function syncListings(parts: FeedsParts, lease: Lease, signal: AbortSignal): Promise<Synced> {
  const synced = { changed: 0, slices: 0 };
  for (let attempt = 0; attempt < REPLANS_MAX; attempt += 1) {
    // When this commit has the row, every slice of an older plan is either done or will see that it is old.
    await parts.ledger.write({ kind: "feed" }, async () => []);
    const plan = await makePlan(parts);
    const isComplete = await applySlices(parts, plan, synced, lease, signal);
    if (isComplete) return synced;
  }
  return synced;
}

async function makePlan({ store: { sql }, ledger, brake }: FeedsParts): Promise<SyncPlan> {
  const now = unixSeconds(Math.floor(ledger.ledgerTimeMs() / 1_000));
  const basis = await selectBasis(sql);
  const exempt = await exemptions(sql, ledger, now);
  const notEnforced = await selectNotEnforced(sql);
  const plans: { list: ListNo; present: Map<Prefix, PresentListing>; changes: ListingChange[] }[] = [];
  let isApproved = basis.isApproved;
  for (const list of basis.lists) {
    const present = await selectPresent(sql, list);
    const wanted = wantedListings(await selectWishes(sql, list), exempt, now);
    isApproved ||= [...present.values()].some(({ feeds }) => feeds.some((feed) => notEnforced.has(feed)));
    plans.push({ list, present, changes: planListings(wanted, present) });
  }
  const changes: ListChange[] = [];
  for (const { list, ...plan } of plans) {
    const name = ledger.lists().find((head) => head.list.list === list)?.list.name ?? String(list);
    const braked = isApproved ? plan : await brakeChanges(brake, { list, name }, plan, now);
    if ("isApproved" in braked && braked.isApproved) isApproved = true;
    for (const change of braked.changes) changes.push(toListChange(list, change));
  }
  return { basis, changes, isApproved };
}

async function exemptions(sql: Sql, ledger: FeedsParts["ledger"], now: UnixSeconds) {
  const own = ledger.protectedAddresses().map(({ address }) => address);
  return createPrefixCover([...(await selectExempt(sql, now)), ...own], [V6_NETWORK]);
}

/** False when the plan turned out to be old. */
async function applySlices(
  parts: FeedsParts,
  { basis, changes, isApproved }: SyncPlan,
  synced: { changed: number; slices: number },
  lease: Lease,
  signal: AbortSignal,
): Promise<boolean> {
  let keptAtMs = parts.clock.monotonicMs();
  for (let at = 0; at < changes.length; at += CHANGES_PER_SLICE) {
    if (at > 0) await parts.clock.sleep(REST_MS, signal);
    if (parts.clock.monotonicMs() - keptAtMs > KEEP_LEASE_EVERY_MS) {
      await keepLease(parts, lease); // whether it was still ours the slice sees
      keptAtMs = parts.clock.monotonicMs();
    }
    let [isOld, isLost] = [false, false];
    const cause =
      basis.fetchNo === undefined ? { kind: "feed" as const } : { kind: "feed" as const, no: basis.fetchNo };
    const written = await parts.ledger.write(
      cause,
      async (sql) => {
        const present = await selectBasis(sql);
        isLost = present.leases.get(lease.feedNo) !== lease.leasedBy;
        isOld = present.state !== basis.state;
        return isOld || isLost ? [] : changes.slice(at, at + CHANGES_PER_SLICE);
      },
      { approved: isApproved },
    );
    if (isLost) return true;
    if (isOld) return false;
    synced.changed += written.changed;
    synced.slices += 1;
  }
  return true;
}

function toListChange(list: ListNo, { prefix, to }: ListingChange): ListChange {
  if (to === undefined) return { list, prefix, to };
  const reasons = to.feeds.map((key) => ({ kind: "feed" as const, key }));
  return { list, prefix, to: { until: to.until, rank: to.rank, reasons } };
}
