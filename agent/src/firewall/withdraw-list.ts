/**
 * A list that is taken from this agent: rule and sets go, unless the brake leaves its entries to their leases.
 *
 * What is left is still enforced, counted as kept, renewed by nobody, and gone when the last entry has run out. An
 * exempt list is always left so: taking a hole away at once could lock somebody out.
 */
import type { Log } from "@fleetban/kit/log";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { Backend } from "./backend.ts";
import { isTooMuch } from "./brake.ts";
import type { Exclusive } from "./exclusive.ts";
import type { Lanes } from "./lanes.ts";
import type { ListState } from "./list-sets.ts";
import { type KernelPair, type SetRegistry, setsOf } from "./set-registry.ts";

export interface WithdrawParts {
  readonly backend: Pick<Backend, "destroySet">;
  readonly sets: SetRegistry;
  readonly lanes: Pick<Lanes, "drop">;
  readonly exclusive: Exclusive;
  readonly log: Log;
  readonly nowSeconds: () => number;
  readonly syncRules: () => Promise<void>;
  readonly onMemory: () => void;
}

export interface Withdrawn {
  readonly list: List;
  readonly pair: KernelPair;
}

export interface Withdrawals {
  all(): readonly Withdrawn[];
  /** The list is no longer among the enforced ones. */
  withdraw(state: ListState, approved: boolean): Promise<void>;
  /** One of a former run, whose sets are open. */
  adopt(withdrawn: Withdrawn): void;
  /** The list is given to this agent again: its sets, if they are still there. */
  takeBack(list: ListNo): KernelPair | undefined;
  /** Takes away what has run out. */
  finish(): Promise<void>;
}

export function createWithdrawals(parts: WithdrawParts): Withdrawals {
  const { sets, lanes, log } = parts;
  const withdrawn = new Set<Withdrawn>();

  /** The rule first: a set that a rule names can't go. */
  async function remove(pair: KernelPair): Promise<void> {
    await parts.syncRules();
    sets.drop(pair);
    for (const set of setsOf(pair)) {
      lanes.drop(set);
      set.isPresent = set.owner.kind === "probe"; // that pair stays for probes
      if (!set.isPresent) await parts.exclusive(() => parts.backend.destroySet(set.name));
    }
  }

  function leave(one: Withdrawn): void {
    const { list, pair } = one;
    withdrawn.add(one);
    for (const set of setsOf(pair)) {
      lanes.drop(set);
      set.owner = { kind: "withdrawn", list: list.list, effect: list.effect === "exempt" ? "exempt" : "deny" };
      for (const prefix of prefixesOf([set.entries.columns()])) set.entries.keep(prefix);
    }
    parts.onMemory();
  }

  return {
    all: () => [...withdrawn],
    adopt: leave,
    takeBack(list) {
      const found = withdrawn.values().find((one) => one.list.list === list);
      if (found !== undefined) withdrawn.delete(found);
      return found?.pair;
    },
    async withdraw({ list, pair }, approved) {
      const inForce = setsOf(pair).reduce((sum, { entries }) => sum + entries.countAfter(parts.nowSeconds()), 0);
      const isLeft = !approved && inForce > 0 && (list.effect === "exempt" || isTooMuch(inForce, inForce));
      log.warn("firewall.list_withdrawn", { list: list.name, entries: inForce, approved, keptToLeases: isLeft });
      if (isLeft) leave({ list, pair });
      else await remove(pair);
    },
    async finish() {
      for (const one of withdrawn) {
        if (setsOf(one.pair).some(({ entries }) => entries.countAfter(parts.nowSeconds()) > 0)) continue;
        withdrawn.delete(one);
        await remove(one.pair);
        parts.onMemory();
        log.info("firewall.list_gone", { list: one.list.name });
      }
    },
  };
}
