/**
 * After another backend has taken over: what the former one still holds is taken away, not before the new one enforces
 * everything (invariant 4).
 *
 * Local entries exist in the kernel only, so they are carried over; lists come from the mirror.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Backend } from "./backend.ts";
import { BackendError, type BackendErrorCode } from "./backend-error.ts";
import type { Candidate } from "./choose-backend.ts";
import type { FirewallState } from "./firewall-state.ts";
import { LOCAL_SETS } from "./set-names.ts";

export interface FormerBackendParts {
  /** All but the one in use. */
  readonly others: readonly Candidate[];
  readonly firewall: {
    state(): FirewallState;
    settled(): Promise<void>;
    addLocal(prefix: Prefix, seconds: number): unknown;
  };
  readonly clock: Pick<Clock, "sleep">;
  readonly log: Log;
}

const LOOK_EVERY_MS = 1_000;
/** To look at nftables stops the whole process for 50 ms, for which a starting agent has better use: it connects. */
const AFTER_START_MS = 3_000;
/** Not on this machine, so nothing of it is there either. */
const ABSENT: readonly BackendErrorCode[] = ["kernel-sets-missing", "iptables-missing", "nftables-missing"];

/** Resolves when nothing of another backend is left, or could be removed. */
export async function replaceFormerBackends(parts: FormerBackendParts, signal: AbortSignal): Promise<void> {
  const { others, firewall, clock, log } = parts;
  await clock.sleep(AFTER_START_MS, signal);
  while (!enforcesEverything(firewall.state())) await clock.sleep(LOOK_EVERY_MS, signal);
  for (const { name, open } of others) {
    try {
      const removed = await removeOne(open, firewall);
      if (removed.length > 0) log.info("firewall.former_backend_removed", { backend: name, removed });
    } catch (error) {
      if (!isAbsent(error)) log.warn("firewall.former_backend_stays", { backend: name, error });
    }
  }
}

export function isAbsent(error: unknown): boolean {
  return error instanceof BackendError && ABSENT.includes(error.code);
}

function enforcesEverything({ rules, lists }: FirewallState): boolean {
  return rules.kind === "present" && lists.every((list) => list.unsupported || list.revision !== undefined);
}

async function removeOne(
  open: () => Promise<Backend>,
  firewall: FormerBackendParts["firewall"],
): Promise<readonly string[]> {
  const former = await open();
  try {
    const present = new Set((await former.headers()).map(({ name }) => name));
    for (const name of [LOCAL_SETS[4], LOCAL_SETS[6]]) {
      if (!present.has(name)) continue;
      for await (const piece of former.readSet(name)) {
        for (const { prefix, timeoutSeconds } of piece) firewall.addLocal(prefix, timeoutSeconds);
      }
    }
    await firewall.settled();
    return await former.uninstall();
  } finally {
    await former.close();
  }
}
