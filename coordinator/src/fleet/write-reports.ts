/**
 * Writes what the agents report, in one batch each 10 s, and looks for agents that another replica has revoked.
 *
 * What is lost with a crash the agents say again; a database that is away costs a batch its time, never a stream.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { createFeedShares } from "../hits/feed-shares.ts";
import { writeCounting, writeHits } from "../hits/write-hits.ts";
import type { Store } from "../store/store.ts";
import type { Fleet } from "./fleet.ts";
import { revokedAmong, writeApplied, writeLastHellos } from "./queries.ts";

export interface ReportWriterParts {
  readonly fleet: Fleet;
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly clock: Clock;
  readonly log: Log;
}

const WRITE_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 2_000;

/** Until the signal aborts; what is there by then is written. */
export async function writeReports(parts: ReportWriterParts, signal: AbortSignal): Promise<never> {
  const shares = createFeedShares(parts.clock);
  try {
    for (;;) {
      await parts.clock.sleep(WRITE_EVERY_MS, signal);
      await writeOnce(parts, shares);
    }
  } finally {
    await writeOnce(parts, shares);
  }
}

export async function writeOnce(parts: ReportWriterParts, shares = createFeedShares(parts.clock)): Promise<void> {
  const { fleet, store, log } = parts;
  const { sql } = store;
  const { agents, lists } = fleet.reported.takeChanged();
  const applied = lists.flatMap(({ agentNo, list }) => {
    const known = fleet.reported.find(agentNo)?.lists.get(list);
    return known === undefined ? [] : [{ agentNo, list, applied: known }];
  });
  try {
    if (applied.length > 0) await writeApplied(sql, fleet.replica, applied);
    if (agents.length > 0) await writeLastHellos(sql, agents);
    await writeCounting(sql, agents);
    await writeHits({ store, shares }, fleet.hits);
  } catch (error) {
    log.warn("fleet.reports_not_written", { agents: agents.length, error });
    for (const { agentNo } of agents) fleet.reported.changed(agentNo);
  }
}

/** Cuts streams here whose agents were revoked elsewhere, however long ago: no clock and no outage hides one. */
export async function followRevocations(parts: ReportWriterParts, signal: AbortSignal): Promise<never> {
  for (;;) {
    await parts.clock.sleep(LOOK_EVERY_MS, signal);
    try {
      const online = parts.fleet.online().map(({ agentNo }) => agentNo);
      for (const agentNo of await revokedAmong(parts.store.sql, online)) {
        if (parts.fleet.revoke(agentNo) > 0) parts.log.info("fleet.agent_cut", { agentNo });
      }
    } catch (error) {
      parts.log.warn("fleet.revocations_not_read", { error });
    }
  }
}
