/** Leaves out of a list's changes what the guardrails hold; what has expired is nobody's change and goes on. */
import type { List } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import { type Braked, type ListChangeWish, sizeOf } from "../guardrails/brake-list.ts";
import type { ListingChange, PresentListing } from "./plan-listings.ts";

export interface BrakedChanges {
  readonly changes: readonly ListingChange[];
  readonly isApproved: boolean;
}

export async function brakeChanges(
  brake: (wish: ListChangeWish) => Promise<Braked>,
  list: Pick<List, "list" | "name">,
  plan: { readonly present: ReadonlyMap<Prefix, PresentListing>; readonly changes: readonly ListingChange[] },
  now: UnixSeconds,
): Promise<BrakedChanges> {
  const inForce = new Set([...plan.present].flatMap(([prefix, { until }]) => (isExpired(until, now) ? [] : [prefix])));
  const isRemoval = ({ prefix, to }: ListingChange) => to === undefined && inForce.has(prefix);
  const isAddition = ({ prefix, to }: ListingChange) => to !== undefined && !inForce.has(prefix);
  const braked = await brake({
    cause: "feeds",
    list,
    before: sizeOf([...inForce]),
    removed: plan.changes.filter(isRemoval).map(({ prefix }) => prefix),
    added: plan.changes.filter(isAddition).map(({ prefix }) => prefix),
  });
  const isHeld = (change: ListingChange) => {
    return (braked.holdsRemovals && isRemoval(change)) || (braked.holdsAdditions && isAddition(change));
  };
  return { changes: plan.changes.filter((change) => !isHeld(change)), isApproved: braked.isApproved };
}
