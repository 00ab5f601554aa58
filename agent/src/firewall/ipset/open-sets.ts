/** Chooses the way to the kernel's sets: netlink, else the `ipset` program, else an error that says what to install. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Spawn } from "@fleetban/kit/spawn";
import { BackendError, remedyFor } from "../backend-error.ts";
import type { KernelSets } from "./kernel-sets.ts";
import { openNetlinkSets } from "./netlink-sets.ts";
import type { OpenNetlink } from "./netlink-socket.ts";
import { openProcessSets } from "./process-sets.ts";

export interface OpenSetsParts {
  /** undefined = netlink can't be spoken here. */
  readonly openNetlink: OpenNetlink | undefined;
  readonly spawn: Spawn;
  readonly clock: Pick<Clock, "timer" | "sleep">;
  readonly log: Log;
}

export async function openSets(parts: OpenSetsParts): Promise<KernelSets> {
  const { openNetlink, clock, log } = parts;
  const reasons: unknown[] = [];
  if (openNetlink !== undefined) {
    try {
      return openNetlinkSets({ open: openNetlink, clock });
    } catch (error) {
      if (isNoPermission(error)) throw error; // the program may no more than we
      log.warn("firewall.netlink_failed", { error });
      reasons.push(error);
    }
  }
  try {
    return await openProcessSets(parts);
  } catch (error) {
    if (isNoPermission(error)) throw error;
    throw noWay([...reasons, error]);
  }
}

function isNoPermission(error: unknown): boolean {
  return error instanceof BackendError && error.code === "no-permission";
}

function noWay(reasons: readonly unknown[]): BackendError {
  const said = reasons.map((reason) => (reason instanceof Error ? reason.message : String(reason))).join("; ");
  const cause = new AggregateError(reasons);
  return new BackendError("kernel-sets-missing", `kernel sets: ${said}`, {
    ...remedyFor("kernel-sets-missing"),
    cause,
  });
}
