/** Brings our table to what the sets want: of some prefixes, or of all. A route that stays is there all the time. */
import type { Log } from "@fleetban/kit/log";
import { type Family, familyOf, isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import type { DenyRule } from "../backend.ts";
import type { HeldSets } from "./held-sets.ts";
import { isSame, type KernelRoutes } from "./kernel-routes.ts";
import type { RouteChange } from "./route-message.ts";
import { decidedBy, type Roles, wantedRoute } from "./wanted-route.ts";

export interface RouteSync {
  /** Gives the error number of each that the kernel refuses. */
  syncPrefixes(rules: readonly DenyRule[], prefixes: readonly Prefix[]): Promise<ReadonlyMap<Prefix, number>>;
  /** What the kernel refuses leaves its sets. */
  syncAll(rules: readonly DenyRule[]): Promise<void>;
}

/** What exempts comes first and goes last. */
const STEPS = ["add throw", "add blackhole", "remove blackhole", "remove throw"] as const;

export function createRouteSync(kernel: KernelRoutes, sets: HeldSets, log: Log): RouteSync {
  async function sync(family: Family, roles: Roles, prefixes: ReadonlySet<Prefix>): Promise<Map<Prefix, number>> {
    const present = kernel.believed(family);
    const changes = [...prefixes].flatMap((prefix) => changesFor(roles, prefix, present.get(prefix)));
    const refused = new Map<Prefix, number>();
    for (const step of STEPS) {
      const ofStep = changes.filter(({ kind, route }) => `${kind} ${route.kind}` === step);
      for (const [{ prefix }, errno] of await kernel.change(family, ofStep)) refused.set(prefix, errno);
    }
    if (changes.some(({ kind, route }) => kind === "add" && route.kind === "blackhole")) {
      kernel.refreshConnections(family);
    }
    return refused;
  }

  /** A network that is or was exempt decides over what is denied inside it. */
  function decidedPrefixes(family: Family, roles: Roles, prefixes: readonly Prefix[]): ReadonlySet<Prefix> {
    const isExempting = (prefix: Prefix) =>
      kernel.believed(family).get(prefix)?.kind === "throw" || roles.except.some(({ set }) => set.has(prefix));
    const decided = new Set<Prefix>();
    for (const prefix of prefixes) {
      decided.add(prefix);
      if (isSingle(prefix) || !isExempting(prefix)) continue;
      for (const inside of decidedBy(roles, prefix)) decided.add(inside);
    }
    return decided;
  }

  return {
    async syncPrefixes(rules, prefixes) {
      const refused = new Map<Prefix, number>();
      for (const family of kernel.families) {
        const roles = sets.roles(family, rules);
        const ofFamily = prefixes.filter((prefix) => familyOf(prefix) === family);
        const decided = decidedPrefixes(family, roles, ofFamily);
        for (const [prefix, errno] of await sync(family, roles, decided)) refused.set(prefix, errno);
      }
      return refused;
    },
    async syncAll(rules) {
      for (const family of kernel.families) {
        const roles = sets.roles(family, rules);
        const prefixes = new Set<Prefix>(kernel.believed(family).keys());
        for (const { set } of [...roles.deny, ...roles.except])
          for (const prefix of set.prefixes()) prefixes.add(prefix);
        const refused = await sync(family, roles, prefixes);
        if (refused.size > 0) log.warn("firewall.routes_refused", { family, routes: refused.size });
        for (const prefix of refused.keys()) sets.forget(prefix);
      }
    },
  };
}

function changesFor(roles: Roles, prefix: Prefix, present: RouteChange["route"] | undefined): readonly RouteChange[] {
  const wanted = wantedRoute(roles, prefix);
  if (isSame(wanted, present)) return [];
  return [
    ...(wanted === undefined ? [] : [{ kind: "add" as const, prefix, route: wanted }]),
    ...(present === undefined ? [] : [{ kind: "remove" as const, prefix, route: present }]),
  ];
}
