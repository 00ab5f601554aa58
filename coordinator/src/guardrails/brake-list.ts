/**
 * Asks the guardrails about the whole change of a list before its first slice, and remembers what an operator answered.
 *
 * What is held is only the harm: below the floor the removals wait and what is new goes on; above the ceiling what is new
 * waits and removals go on. Listings that wait to be removed end by their own time (keeps invariants 5 and 6).
 */
import type { Log } from "@fleetban/kit/log";
import type { List } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Store } from "../store/store.ts";
import { addCover, coverOf, subtractCover } from "./cover.ts";
import type { Guardrails } from "./guardrails.ts";
import { judgeChange, type ListSize } from "./judge-change.ts";
import {
  type ChangeCause,
  currentListHold,
  endListHolds,
  type HeldChange,
  openListHold,
  supersedeListHold,
} from "./list-holds.ts";

export interface BrakeParts {
  readonly store: Pick<Store, "transaction">;
  readonly guardrails: () => Guardrails;
  readonly log: Log;
}

/** Of listings in force: what expires is nobody's change. */
export interface ListChangeWish {
  /** Who changes it: each is held and answered for itself. */
  readonly cause: ChangeCause;
  readonly list: Pick<List, "list" | "name">;
  readonly before: ListSize;
  readonly removed: readonly Prefix[];
  readonly added: readonly Prefix[];
}

export interface Braked {
  readonly holdsRemovals: boolean;
  readonly holdsAdditions: boolean;
  /** An operator has approved it: agents' own brakes shall let it pass, too. */
  readonly isApproved: boolean;
}

const FREE: Braked = { holdsRemovals: false, holdsAdditions: false, isApproved: false };
const EXAMPLES = 10;
/** A plan that is made again some minutes later differs a little. */
const TOLERANCE = 1.1;

export function sizeOf(prefixes: readonly Prefix[]): ListSize {
  return { listings: prefixes.length, cover: coverOf(prefixes) };
}

export function sizeAfter({ before, removed, added }: Pick<ListChangeWish, "before" | "removed" | "added">): ListSize {
  const listings = before.listings - removed.length + added.length;
  return { listings, cover: addCover(subtractCover(before.cover, coverOf(removed)), coverOf(added)) };
}

export async function brakeList({ store, guardrails, log }: BrakeParts, wish: ListChangeWish): Promise<Braked> {
  const after = sizeAfter(wish);
  const { floor, ceiling } = judgeChange(wish.before, after, guardrails());
  const reasons = [floor, ceiling].filter((reason) => reason !== undefined);
  const { list, name } = wish.list;
  return await store.transaction(async (sql) => {
    if (reasons.length === 0) {
      await endListHolds(sql, list, wish.cause);
      return FREE;
    }
    const reason = reasons.join("; ");
    const change: HeldChange = {
      cause: wish.cause,
      ...{ before: wish.before, after },
      removed: wish.removed.slice(0, EXAMPLES),
      added: wish.added.slice(0, EXAMPLES),
    };
    const known = await currentListHold(sql, list, wish.cause);
    const held: Braked = {
      holdsRemovals: floor !== undefined,
      holdsAdditions: ceiling !== undefined,
      isApproved: false,
    };
    if (known !== undefined && isWithin(change, known.change)) {
      return known.resolution === "approved" ? { ...FREE, isApproved: true } : held;
    }
    if (known !== undefined && known.resolution === undefined) await supersedeListHold(sql, known.holdNo);
    const hold = await openListHold(sql, list, reason, change);
    log.error("guardrails.list_held", { list: name, hold, reason });
    return held;
  });
}

/** No fewer listings are left, and no more is covered, than what the operator was asked about. */
function isWithin({ after, before }: HeldChange, answered: HeldChange): boolean {
  const lost = before.listings - after.listings;
  const lostThen = answered.before.listings - answered.after.listings;
  const isNoWider = ([4, 6] as const).every((family) => {
    return after.cover[family] <= Math.max(answered.before.cover[family], answered.after.cover[family]) * TOLERANCE;
  });
  return isNoWider && lost <= Math.max(0, lostThen) * TOLERANCE;
}
