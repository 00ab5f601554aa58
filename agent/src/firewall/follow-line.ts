/**
 * Lets the kernel follow the line: when it falls, what is below it now goes before anything further comes; when it rises,
 * what fits now comes. Also fills a set anew that somebody emptied.
 */
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { PrefixColumns } from "@fleetban/proto/model/sorted-columns";
import type { Cut } from "./cut.ts";
import type { Enforcer } from "./enforcer.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";
import type { ListSets } from "./list-sets.ts";
import type { PlannedOp } from "./order-batch.ts";
import { setsOf } from "./set-registry.ts";
import { SWEEP_ORDER } from "./sweep.ts";
import type { AskWanted } from "./wanted.ts";

export interface FollowLineParts {
  readonly enforcer: Enforcer;
  readonly lists: ListSets;
  readonly cut: Cut;
  readonly wanted: AskWanted;
  readonly log: Log;
  readonly onMemory: () => void;
}

export interface LineFollower {
  /** Looks where the line is to be, and goes there. */
  follow(mayGrow: boolean): void;
  /** Wishes all that the list's set is to hold. */
  refill(set: KernelSet): void;
}

export function createLineFollower(parts: FollowLineParts): LineFollower {
  const { enforcer, lists, cut } = parts;

  function refill(set: KernelSet): void {
    const enforced = set.owner.kind === "list" ? lists.enforced(set.owner.list) : undefined;
    const columns = enforced?.held.blocklist.columns().find(({ family }) => family === set.family);
    if (columns === undefined) return;
    const plan = (prefix: Prefix) => enforcer.planAdd(set, prefix);
    const planRun = (rows: PrefixColumns, from: number, entries: number) => enforcer.planAdds(set, rows, from, entries);
    const lane = isExempting(set) ? "urgent" : "bulk";
    enforcer.lanes.sweep({ lane, order: SWEEP_ORDER.repair, set, columns, holdsRevision: true, plan, planRun });
  }

  function removeBelow(set: KernelSet): void {
    const columns = set.entries.columns();
    const plan = (prefix: Prefix) => planCut(set, prefix);
    enforcer.lanes.sweep({ lane: "bulk", order: SWEEP_ORDER.removals, set, columns, holdsRevision: true, plan });
  }

  /** What stands on the list and is cut off; nothing that the brake has not judged. */
  function planCut(set: KernelSet, prefix: Prefix): PlannedOp | undefined {
    const held = set.owner.kind === "list" ? lists.enforced(set.owner.list)?.held : undefined;
    const isCut = held?.blocklist.has(prefix) === true && parts.wanted(set, prefix).kind === "absent";
    return isCut ? { set, op: { kind: "remove", set: set.name, prefix }, isFill: false } : undefined;
  }

  return {
    refill,
    follow(mayGrow) {
      const moved = cut.move(mayGrow);
      if (moved === "same") return;
      enforcer.truthChanged();
      parts.log.info("firewall.line_moved", { moved, line: cut.line });
      parts.onMemory();
      for (const { list, pair } of lists.all()) {
        if (list.effect === "deny") for (const set of setsOf(pair)) (moved === "grown" ? refill : removeBelow)(set);
      }
    },
  };
}
