/** How each backend is opened on this machine. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { AgentConfig } from "../config.ts";
import type { Backend } from "../firewall/backend.ts";
import { openBlackholeBackend } from "../firewall/blackhole/blackhole-backend.ts";
import { openIpsetBackend } from "../firewall/ipset/ipset-backend.ts";
import { openNftablesBackend } from "../firewall/nftables/nftables-backend.ts";
import { readLocalPorts } from "./local-ports.ts";
import { loadNetlink, loadRouteNetlink } from "./netlink.ts";
import { spawn } from "./spawn.ts";

/** Those that put something into the kernel. */
export type EnforcingBackend = Exclude<Backend["name"], "dry-run">;

export interface OpenerParts {
  readonly config: Partial<Pick<AgentConfig, "hook" | "ipset_via">>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Each rejects with a BackendError that says what to install, load or permit. */
export const OPENERS: Readonly<Record<EnforcingBackend, (parts: OpenerParts) => Promise<Backend>>> = {
  ipset: ({ config, ...parts }) =>
    openIpsetBackend({
      ...parts,
      ...hookOf(config),
      loadNetlink: config.ipset_via === "process" ? notWanted : loadNetlink,
      spawn,
    }),
  nftables: ({ config, ...parts }) => openNftablesBackend({ ...parts, ...hookOf(config), loadNetlink }),
  blackhole: ({ clock, log }) =>
    openBlackholeBackend({
      ...{ clock, log, ownPorts: readLocalPorts },
      openSocket: async () => (await loadRouteNetlink())(0),
    }),
};

export const ENFORCING_BACKENDS = Object.keys(OPENERS) as readonly EnforcingBackend[];

function hookOf({ hook }: OpenerParts["config"]): Pick<AgentConfig, "hook"> | Record<string, never> {
  return hook === undefined ? {} : { hook };
}

function notWanted(): never {
  throw new Error("ipset_via is process");
}
