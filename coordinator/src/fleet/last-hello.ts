/** What is kept of an agent's reports for the time when it is not connected, as `agents.last_hello` holds it. */
import { type ReportedAgent, warnablesOf } from "./reported.ts";

/** What survives an agent's stream and a restart of the coordinator. */
export interface LastHello {
  readonly seen_at_ms: number;
  readonly program_version: string;
  readonly backend: string;
  readonly clock_skew_ms: number;
  readonly spool_sightings: number;
  readonly lost_sightings: number;
  readonly own_entries: number;
  readonly local_entries: number;
  readonly warnables: readonly string[];
}

export function lastHelloOf(agent: ReportedAgent): LastHello {
  return {
    seen_at_ms: Math.round(agent.lastSeenAtMs),
    program_version: agent.facts?.programVersion ?? "",
    backend: agent.facts?.backend ?? "",
    clock_skew_ms: agent.health?.clockSkewMs ?? agent.facts?.clockSkewMs ?? 0,
    spool_sightings: agent.health?.spoolSightings ?? 0,
    lost_sightings: agent.health?.lostSightings ?? 0,
    own_entries: agent.health?.ownEntries ?? 0,
    local_entries: agent.health?.localEntries ?? 0,
    warnables: warnablesOf(agent).map(({ code }) => code),
  };
}
