/**
 * The policy in force, as this replica has it: read at the start, followed by notification and poll, and asked for anew by a
 * commit that has found another number in the ledger's row. None is applied = the defaults.
 *
 * A stored text that this program can't read (a key of a later version) leaves the one before in force here, loudly; at
 * the start it is refused, because nothing may be decided by a guess.
 */
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import { readPolicy } from "../policy/policy-file.ts";
import { type PolicyInForce, policyInForce } from "../policy/policy-in-force.ts";
import type { PolicyFile } from "../policy/policy-table.ts";
import type { Store } from "../store/store.ts";
import { selectListNumbers } from "./list-queries.ts";
import { POLICY_CHANNEL, selectInForce } from "./queries.ts";

export interface PoliciesParts {
  readonly store: Pick<Store, "sql" | "listen">;
  readonly clock: Clock;
  readonly log: Log;
  /** `retention` of the configuration. */
  readonly retentionSeconds: number;
}

export interface Policies {
  current(): PolicyInForce;
  /** The file that is tried on a group; undefined = none is. */
  trial(): PolicyFile | undefined;
  /** Asks the database. */
  refresh(): Promise<void>;
  /** Called after another one is in force here; a rejection is logged. */
  onChange(listener: (inForce: PolicyInForce) => Promise<void>): void;
  /** Follows the other replicas. */
  run(signal: AbortSignal): Promise<never>;
}

const POLL_MS = 5_000;

export async function openPolicies(parts: PoliciesParts): Promise<Policies> {
  const { store, clock, log, retentionSeconds } = parts;
  const listeners = new Set<(inForce: PolicyInForce) => Promise<void>>();
  let current = policyInForce(readPolicy("", "(the defaults)"), {
    ...{ policyNo: 0, retentionSeconds },
    listNumbers: new Map(),
  });
  let trial: PolicyFile | undefined;
  let seen = "";
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const { policyNo, listsVersion, body, trial: tried } = await selectInForce(store.sql);
    const key = `${policyNo} ${listsVersion} ${tried?.policyNo ?? 0}`;
    if (key === seen) return;
    const listNumbers = await selectListNumbers(store.sql);
    const file = readPolicy(body ?? "", policyNo === 0 ? "(the defaults)" : `policy ${policyNo}`);
    trial = tried === undefined ? undefined : readPolicy(tried.body, `policy ${tried.policyNo}`);
    current = policyInForce(file, { policyNo, retentionSeconds, listNumbers });
    const isFirst = seen === "";
    seen = key;
    log.info("policies.in_force", { policyNo, trialNo: tried?.policyNo });
    if (isFirst) return;
    // Not awaited: a listener that writes may have to ask here for the policy, and would wait for itself.
    for (const listener of listeners) {
      listener(current).catch((error: unknown) => log.error("policies.not_followed", { policyNo, error }));
    }
  }

  /** Whoever asks while it is read gets a reading that began after it asked. */
  async function refresh(): Promise<void> {
    const before = reading;
    if (before !== undefined) await before.catch(() => undefined);
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function tryRefresh(): Promise<void> {
    await refresh().catch((error: unknown) => log.error("policies.not_read", { error }));
  }

  try {
    await refresh();
  } catch (cause) {
    if (!(cause instanceof FleetbanError)) throw cause;
    throw new FleetbanError(
      "policy-unreadable",
      `the policy in force can't be read by this program: ${cause.message}`,
      {
        hint: "start the fleetban-coordinator that applied it, and roll it back there",
        cause,
      },
    );
  }

  return {
    current: () => current,
    trial: () => trial,
    refresh,
    onChange: (listener) => void listeners.add(listener),
    async run(signal) {
      const listening = store.listen(POLICY_CHANNEL, () => void tryRefresh(), signal);
      listening.catch(() => undefined); // ends with the signal, as the poll does
      for (;;) {
        await clock.sleep(POLL_MS, signal);
        await tryRefresh();
      }
    },
  };
}
