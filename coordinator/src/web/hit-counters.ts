/** Shows what this replica has heard of dropped packets, by list: read when somebody scrapes. */
import { Counter, type Registry } from "prom-client";
import type { HitTotals } from "../hits/hit-totals.ts";
import type { Ledger } from "../ledger/ledger.ts";

export function showHitCounters(
  registry: Registry,
  { packets }: Pick<HitTotals, "packets">,
  ledger: Pick<Ledger, "lists">,
): void {
  new Counter({
    name: "fleetban_coordinator_dropped_packets_total",
    help: "Packets that the kernels of agents connected here dropped, as they tell",
    labelNames: ["list"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { list } of ledger.lists()) {
        if (list.effect === "deny") this.inc({ list: list.name }, packets.get(list.list) ?? 0);
      }
    },
  });
}
