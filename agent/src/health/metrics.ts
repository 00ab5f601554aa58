/** The agent's metrics, `fleetban_agent_…`, set from the status document whenever somebody asks. */
import { Counter, Gauge, Registry } from "prom-client";
import type { AgentStatus } from "./status.ts";
import { WARNABLES, type WarnableCode } from "./warnables.ts";

export interface AgentMetrics {
  readonly contentType: string;
  render(status: AgentStatus): Promise<string>;
}

export function createAgentMetrics(): AgentMetrics {
  const registers = [new Registry()];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `fleetban_agent_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `fleetban_agent_${name}`, help, labelNames: [...labelNames], registers });

  const info = gauge("info", "Constant 1; the program's version and backend.", ["version", "backend", "via"]);
  const online = gauge("online", "1 while a stream to a coordinator is open.");
  const skew = gauge("clock_skew_seconds", "This machine's clock minus the ledger's.");
  const certificateEnds = gauge("certificate_ends_timestamp_seconds", "When the agent's certificate ends.");
  const revision = gauge("mirror_revision", "Revision of the mirror.", ["list"]);
  const listings = gauge("listings", "Listings in the mirror.", ["list"]);
  const entries = gauge("kernel_entries", "Entries in the kernel's sets.", ["list"]);
  const leftOut = gauge("left_out_listings", "Listings below the line.", ["list"]);
  const kept = gauge("kept_entries", "Entries left to their leases by the agent's brake.", ["list"]);
  const sessions = gauge(
    "protected_sessions",
    "Addresses that are never banned here because somebody logged in from there.",
  );
  const batch = gauge("batch_entries", "Size that the bulk batches have settled on.");
  const apply = gauge("apply_p99_seconds", "99th percentile of applying a batch to the kernel.");
  const drift = counter("drift_entries_total", "Entries found different in the kernel and repaired.");
  const driftSets = counter("drift_sets_total", "Sets found emptied or destroyed and repaired.");
  const driftRules = counter("drift_rules_total", "Times that the rules were found gone or altered and put back.");
  const spooled = gauge("spool_sightings", "Sightings not acknowledged yet.");
  const lost = counter("lost_sightings_total", "Sightings dropped unacknowledged because the spool was full.");
  const sightings = counter("sightings_total", "Sightings taken.", ["source"]);
  const packets = counter("dropped_packets_total", "Packets dropped, as the kernel's sets counted them.", ["list"]);
  const bytes = counter("dropped_bytes_total", "Bytes of these packets.", ["list"]);
  const warnable = gauge("warnable", "1 while the agent is in that bad state.", ["code"]);

  function set(status: AgentStatus): void {
    info.reset();
    info.set({ version: status.version, backend: status.firewall.backend, via: status.firewall.via }, 1);
    online.set(status.link.kind === "online" ? 1 : 0);
    if (status.clockSkewMs !== undefined) skew.set(status.clockSkewMs / 1_000);
    if (status.certificateEndsAtMs !== undefined) certificateEnds.set(status.certificateEndsAtMs / 1_000);
    for (const list of status.lists) {
      revision.set({ list: list.name }, list.revision);
      listings.set({ list: list.name }, list.listings);
      entries.set({ list: list.name }, list.kernelEntries);
      leftOut.set({ list: list.name }, list.leftOut);
      kept.set({ list: list.name }, list.kept);
    }
    entries.set({ list: "own" }, status.firewall.ownEntries);
    entries.set({ list: "local" }, status.firewall.localEntries);
    sessions.set(status.protectedSessions);
    batch.set(status.firewall.batchEntries);
    apply.set(status.firewall.applyP99Us / 1e6);
    spooled.set(status.spool.sightings);
    setCounter(drift, {}, status.firewall.driftEntries);
    setCounter(driftSets, {}, status.firewall.driftSets);
    setCounter(driftRules, {}, status.firewall.driftRules);
    setCounter(lost, {}, status.spool.lost);
    for (const [source, count] of Object.entries(status.sightingsBySource)) setCounter(sightings, { source }, count);
    for (const [list, counts] of Object.entries(status.hits.byList)) {
      setCounter(packets, { list }, counts.packets);
      setCounter(bytes, { list }, counts.bytes);
    }
    const raised = new Set<string>(status.warnables.map(({ code }) => code));
    for (const code of Object.keys(WARNABLES) as WarnableCode[]) warnable.set({ code }, raised.has(code) ? 1 : 0);
  }

  const [registry] = registers as [Registry];
  return {
    contentType: registry.contentType,
    async render(status) {
      set(status);
      return await registry.metrics();
    },
  };
}

/** The rooms keep the totals; a counter of the library only counts up from nothing. */
function setCounter<Label extends string>(
  counter: Counter<Label>,
  labels: Partial<Record<Label, string>>,
  total: number,
): void {
  counter.remove(labels);
  counter.inc(labels, total);
}
