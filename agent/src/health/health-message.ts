/** The agent's health as the coordinator is told of it. */
import { Health, Source } from "@fleetban/proto/wire/fleet";
import type { AgentStatus } from "./status.ts";

const SOURCES: Readonly<Record<string, Source>> = {
  fail2ban: Source.SOURCE_FAIL2BAN,
  log: Source.SOURCE_LOG,
  socket: Source.SOURCE_SOCKET,
  import: Source.SOURCE_IMPORT,
};

/** A coordinator refuses a longer one. */
const DETAIL_MAX = 1_024;

export function healthMessage(status: AgentStatus): Health {
  const { warnables, spool, firewall, clockSkewMs, sightingsBySource, hits } = status;
  return Health.fromPartial({
    warnables: warnables.map(({ code, sinceMs, detail }) => ({ code, sinceMs, detail: detail.slice(0, DETAIL_MAX) })),
    spoolSightings: spool.sightings,
    spoolOldestMs: spool.oldestMs,
    lostSightings: spool.lost,
    batchEntries: firewall.batchEntries,
    applyP99Us: firewall.applyP99Us,
    clockSkewMs: clockSkewMs ?? 0,
    ownEntries: firewall.ownEntries,
    localEntries: firewall.localEntries,
    countsHits: hits.isCounting,
    sources: Object.entries(sightingsBySource).map(([source, sightings]) => {
      return { source: SOURCES[source] ?? Source.SOURCE_UNSPECIFIED, sightings };
    }),
  });
}
