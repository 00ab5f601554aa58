/** A running ledger over a test's database. */
import type { TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import type { Policy, PolicySource } from "../policy/policy.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import type { Store } from "../store/store.ts";
import { beforeClose } from "../store/test-database.ts";
import type { Ledger } from "./ledger.ts";
import { type LedgerParts, openLedger } from "./open-ledger.ts";

/**
 * Stopped and closed at the end of the test, before its database goes: the store's owner sees to that. An idle one does
 * nothing by itself: it drops nothing that has expired, makes no partition, and hears of nobody.
 */
export async function openTestLedger(
  _t: TestContext,
  store: Store,
  given: { policy?: Partial<Policy>; source?: PolicySource; isIdle?: boolean } & Partial<
    Omit<LedgerParts, "store" | "policy">
  > = {},
): Promise<Ledger> {
  const { policy, source, isIdle = false, ...parts } = given;
  const inForce = { ...DEFAULT_POLICY, ...policy };
  const ledger = await openLedger({
    ...{ store, clock: systemClock, random: systemRandom, log: silentLog },
    ...parts,
    policy: source ?? (() => inForce),
  });
  const stop = new AbortController();
  const running = isIdle ? undefined : ledger.run(stop.signal).catch(unlessStopped);
  function unlessStopped(error: unknown): void {
    if (error !== stop.signal.reason) throw error;
  }
  beforeClose(store, async () => {
    stop.abort(new Error("the test is over"));
    await running;
    await ledger.close();
  });
  return ledger;
}
