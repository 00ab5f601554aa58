/** Opens the backend that the configuration asks for. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { AgentConfig } from "../config.ts";
import type { Backend } from "../firewall/backend.ts";
import { createDryRunBackend } from "../firewall/dry-run/dry-run-backend.ts";
import { openIpsetBackend } from "../firewall/ipset/ipset-backend.ts";
import { loadNetlink } from "./netlink.ts";
import { spawn } from "./spawn.ts";

/** Rejects with a BackendError that says what to install, load or permit. */
export async function openBackend(
  config: Pick<AgentConfig, "backend" | "hook" | "ipset_via">,
  clock: Clock,
  log: Log,
): Promise<Backend> {
  if (config.backend === "dry-run") return createDryRunBackend(clock);
  const netlink = config.ipset_via === "process" ? notWanted : loadNetlink;
  return await openIpsetBackend({ loadNetlink: netlink, spawn, clock, log, hook: config.hook });
}

function notWanted(): never {
  throw new Error("ipset_via is process");
}
