/** What is fetched, and what is held for it; no label is an address or a token. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { Edition } from "./edition.ts";

export type PublishOutcome = "sent" | "unchanged" | "refused" | "failed" | "broken-off";

export interface PublishedMetrics {
  answered(format: string, outcome: PublishOutcome, bytes: number): void;
}

const PREFIX = "fleetban_coordinator_publish";

export function createPublishedMetrics(registry: Registry, editions: () => readonly Edition[]): PublishedMetrics {
  const requests = new Counter({
    name: `${PREFIX}_requests_total`,
    help: "Requests for published lists",
    labelNames: ["format", "outcome"],
    registers: [registry],
  });
  const bytes = new Counter({
    name: `${PREFIX}_bytes_total`,
    help: "Bytes of published lists that were sent",
    labelNames: ["format"],
    registers: [registry],
  });
  new Gauge({
    name: `${PREFIX}ed_listings`,
    help: "Listings in what is published, holes cut out, by the lists it is made of",
    labelNames: ["lists", "terms"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { lists, isForOwnUse, size } of editions()) {
        this.set({ lists: lists.join("+"), terms: isForOwnUse ? "own-use" : "public" }, size);
      }
    },
  });
  return {
    answered(format, outcome, sent) {
      requests.inc({ format, outcome });
      bytes.inc({ format }, sent);
    },
  };
}
