/** The ipset backend: kernel sets by netlink or by the `ipset` program, and one rule over them by iptables. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Spawn } from "@fleetban/kit/spawn";
import type { Backend, SetName } from "../backend.ts";
import { BackendError } from "../backend-error.ts";
import type { KernelSets } from "./kernel-sets.ts";
import type { OpenNetlink } from "./netlink-socket.ts";
import type { WatchedChains } from "./nft-notice.ts";
import { openSets } from "./open-sets.ts";
import type { ChainPart } from "./rule-layout.ts";
import type { EntryHook } from "./rule-text.ts";
import { openGeneration, watchRuleChanges } from "./rule-watch.ts";
import { createRules } from "./rules.ts";

export interface IpsetBackendParts {
  /** Rejects where netlink can't be spoken; then the `ipset` program is used. */
  readonly loadNetlink: () => Promise<OpenNetlink>;
  readonly spawn: Spawn;
  readonly clock: Pick<Clock, "timer" | "sleep">;
  readonly log: Log;
  /** Default: conntrack. */
  readonly hook?: EntryHook;
}

/** Rejects with a BackendError that says what to install, load or permit. */
export async function openIpsetBackend(parts: IpsetBackendParts): Promise<Backend> {
  const { loadNetlink, spawn, clock, log, hook = "conntrack" } = parts;
  const loaded = await tryLoad(loadNetlink, log);
  const sets = await openSets({ openNetlink: loaded, spawn, clock, log });
  const open = sets.via === "netlink" ? loaded : undefined;
  const generation = open === undefined ? undefined : openGeneration(open);
  const rules = createRules({ spawn, clock, log, hook, generation: () => generation?.read() });
  const watches = new Set<{ close(): void }>();
  return {
    ...sets,
    name: "ipset",
    ensureRules: rules.ensure,
    ruleState: rules.state,
    watchRules(onChange) {
      if (open === undefined) return { close: () => undefined };
      const watch = watchRuleChanges({ open, clock, log, watched: () => chainsOf(rules.parts()) }, onChange);
      watches.add(watch);
      return watch;
    },
    uninstall: async () => [...(await rules.remove()), ...(await destroyAll(sets))],
    async close() {
      for (const watch of watches) watch.close();
      generation?.close();
      await sets.close();
    },
  };
}

/** Ours, and those whose first rule is to jump to one of them. */
function chainsOf(parts: readonly ChainPart[]): WatchedChains {
  const chains = new Map<string, Set<string>>();
  for (const { table, chain, hooks } of parts) {
    const known = chains.get(table) ?? new Set();
    for (const name of [chain, ...hooks]) known.add(name);
    chains.set(table, known);
  }
  return chains;
}

async function tryLoad(loadNetlink: () => Promise<OpenNetlink>, log: Log): Promise<OpenNetlink | undefined> {
  try {
    return await loadNetlink();
  } catch (error) {
    log.warn("firewall.netlink_not_loaded", { error });
    return undefined;
  }
}

/** One that a rule of somebody else's names stays, and is named in an error when the others are gone. */
async function destroyAll(sets: KernelSets): Promise<readonly string[]> {
  const removed: string[] = [];
  const kept: SetName[] = [];
  for (const { name, entries } of await sets.headers()) {
    try {
      await sets.destroySet(name);
      removed.push(`set ${name} (${entries} entries)`);
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== "set-in-use") throw error;
      kept.push(name);
    }
  }
  if (kept.length === 0) return removed;
  throw new BackendError(
    "set-in-use",
    `sets ${kept.join(", ")}: a rule that isn't fleetban's names them; the rest is removed`,
    {
      hint: "find the rules (iptables-save, ip6tables-save, nft list ruleset), remove them, and uninstall again",
    },
  );
}
