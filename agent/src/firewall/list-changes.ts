/**
 * A delta's changes into wishes: the lane of each (PROTOCOL §2), and what the brake holds back.
 *
 * Urgent is what a server waits for: everything exempt, a fresh ban, a ban lifted, an extension that comes at the last
 * minute. Feeds and the other extensions are bulk.
 */
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import type { MirrorChange } from "../mirror/held.ts";
import { isLongDelta, turnsForDelta } from "../mirror/long-delta.ts";
import { isTooWideToExempt } from "./brake.ts";
import { secondsLeftAt } from "./entry-op.ts";
import { NO_TIMEOUT } from "./entry-table.ts";
import type { Lane } from "./lane.ts";
import type { ListState } from "./list-sets.ts";
import { keepAll, type LoadParts, sweepListed } from "./load-list.ts";
import { setsOf } from "./set-registry.ts";

const LATE_EXTENSION_SECONDS = 600;

export type ChangeParts = Pick<LoadParts, "clock" | "log" | "lanes" | "lists" | "brake" | "onMemory" | "planAdds"> & {
  /** Something became exempt. */
  readonly lift: (prefix: Prefix) => void;
};

/** A small delta is wished at once, before it first awaits; a large one gives way to other work. */
export async function wishChanges(
  parts: ChangeParts,
  state: ListState,
  changes: readonly MirrorChange[],
  approved: boolean,
): Promise<void> {
  const turns = turnsForDelta(parts.clock, changes.length);
  const now = parts.clock.monotonicMs() / 1_000;
  const goes = changes.filter(({ prefix, after }) => after === undefined && isInForce(state, prefix, now));
  const isHeld =
    !approved && state.list.effect === "deny" && parts.brake.holds(state.list.list, goes.length, inForceOf(state, now));
  if (isHeld) {
    const held = goes.map(({ prefix }) => prefix);
    keepAll(parts, state, held);
  }
  const swept: Prefix[] = [];
  for (const change of changes) {
    if (isHeld && change.after === undefined) continue;
    const set = state.pair[familyOf(change.prefix)];
    if (change.after !== undefined) becameListed(parts, state, change.prefix, approved);
    else state.heldWide.delete(change.prefix);
    set.refused.delete(change.prefix); // another truth, another try
    const lane = laneOf(state, change, now);
    if (isLongDelta(changes.length) && lane === "bulk" && change.after !== undefined) swept.push(change.prefix);
    else parts.lanes.wish(lane, set, change.prefix);
    if (turns.isOver()) await turns.next();
  }
  if (swept.length === 0) return;
  for (const columns of prefixColumns(swept)) if (columns.count > 0) sweepListed(parts, state, columns);
}

/** Puts what the brake kept back among the wanted, and tells the machine what is exempt. */
function becameListed(parts: ChangeParts, state: ListState, prefix: Prefix, approved: boolean): void {
  const { entries } = state.pair[familyOf(prefix)];
  if (entries.isKept(prefix)) entries.put(prefix, entries.endOf(prefix) ?? NO_TIMEOUT);
  if (state.list.effect !== "exempt") return;
  if (isTooWideToExempt(prefix) && !parts.lists.approvedWide.has(prefix)) {
    if (!approved) {
      state.heldWide.add(prefix);
      parts.log.warn("firewall.wide_exemption_held", { list: state.list.name, prefix });
      return;
    }
    parts.lists.approvedWide.add(prefix);
    parts.onMemory();
  }
  parts.lift(prefix);
}

function laneOf({ list, pair }: ListState, { prefix, after }: MirrorChange, now: number): Lane {
  if (list.effect === "exempt") return "urgent";
  const left = secondsLeftAt(pair[familyOf(prefix)].entries.endOf(prefix), now) ?? 0;
  const isIn = left > 0;
  if (after !== undefined && isIn) return left < LATE_EXTENSION_SECONDS ? "urgent" : "bulk";
  if (list.list === LIST_FEEDS) return "bulk";
  return after !== undefined || isIn ? "urgent" : "bulk";
}

function isInForce({ pair }: ListState, prefix: Prefix, now: number): boolean {
  return (secondsLeftAt(pair[familyOf(prefix)].entries.endOf(prefix), now) ?? 0) > 0;
}

function inForceOf({ pair }: ListState, now: number): number {
  return setsOf(pair).reduce((sum, { entries }) => sum + entries.countAfter(now), 0);
}
