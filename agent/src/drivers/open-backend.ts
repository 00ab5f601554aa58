/** Opens the backend that the configuration asks for, or for `auto` the first one that works here. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { AgentConfig } from "../config.ts";
import type { Backend } from "../firewall/backend.ts";
import { BackendError, remedyFor } from "../firewall/backend-error.ts";
import { type Candidate, chooseBackend } from "../firewall/choose-backend.ts";
import { createDryRunBackend } from "../firewall/dry-run/dry-run-backend.ts";
import { LISTING_PROGRAMS } from "../firewall/ipset/flavor.ts";
import { findNativeFirewall } from "../firewall/nftables/native-firewall.ts";
import { ENFORCING_BACKENDS, type EnforcingBackend, OPENERS, type OpenerParts } from "./backend-openers.ts";
import { hasProgram } from "./find-program.ts";
import { loadNetlink } from "./netlink.ts";

/** Rejects with a BackendError that says what to install, load or permit. */
export async function openBackend(
  config: Pick<AgentConfig, "backend" | "hook" | "ipset_via">,
  clock: Clock,
  log: Log,
): Promise<Backend> {
  if (config.backend === "dry-run") return createDryRunBackend(clock);
  const parts = { config, clock, log };
  const { backend: name } = config;
  if (name !== "auto") return await chooseBackend([{ name, open: () => OPENERS[name](parts) }], "agent.yaml", log);
  const { order, because } = await preferred();
  const candidates = order.map((one) => ({ name: one, open: () => openWhole(one, parts) }));
  return await chooseBackend(candidates, because, log);
}

/** All but the one in use; a dry run leaves the others alone. */
export function otherBackends(inUse: Backend["name"], clock: Clock, log: Log): readonly Candidate[] {
  if (inUse === "dry-run") return [];
  const others = ENFORCING_BACKENDS.filter((name) => name !== inUse);
  return others.map((name) => ({ name, open: () => OPENERS[name]({ config: {}, clock, log }) }));
}

/** ipset holds a set in a third of the memory and is read back faster; rules of iptables must not be among native ones. */
async function preferred(): Promise<{ readonly order: readonly EnforcingBackend[]; readonly because: string }> {
  const native = await loadNetlink().then(findNativeFirewall, () => undefined);
  if (native === undefined) return { order: ["ipset", "nftables", "blackhole"], because: "the first that works" };
  const because = `this machine's own firewall is native nftables (table ${native})`;
  return { order: ["nftables", "ipset", "blackhole"], because };
}

/** Sets without a program for rules over them are of no use while there is another way. */
async function openWhole(name: EnforcingBackend, parts: OpenerParts): Promise<Backend> {
  if (name !== "ipset" || LISTING_PROGRAMS.some(hasProgram)) return await OPENERS[name](parts);
  throw new BackendError("iptables-missing", "program iptables: not found", remedyFor("iptables-missing"));
}
