/** Shows the counters that the fleet's room keeps of its streams: read when somebody scrapes, so that a message costs nothing more. */
import { Counter, type Registry } from "prom-client";
import type { FleetCounters } from "../fleet/counters.ts";

const PREFIX = "fleetban_coordinator_";

export function showFleetCounters(registry: Registry, counters: FleetCounters): void {
  const simple = [
    ["messages_total", "Messages from agents", () => counters.messages],
    ["delta_bytes_total", "Bytes of deltas sent to agents", () => counters.deltaBytes],
    ["violations_total", "Streams ended for breaking the protocol", () => counters.violations],
    ["goodbyes_total", "Streams ended by the coordinator", () => counters.goodbyes],
    ["clones_total", "Streams refused as a clone of another", () => counters.clones],
    ["streams_over_quota_total", "Streams refused because their agent begins too many", () => counters.overQuota],
  ] as const;
  for (const [name, help, value] of simple) {
    new Counter({
      name: `${PREFIX}${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }
  new Counter({
    name: `${PREFIX}deltas_total`,
    help: "Deltas sent to agents; a snapshot is the one from nothing",
    labelNames: ["kind"],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ kind: "delta" }, counters.deltas);
      this.inc(
        { kind: "snapshot" },
        [...counters.snapshots.values()].reduce((sum, count) => sum + count, 0),
      );
    },
  });
}
