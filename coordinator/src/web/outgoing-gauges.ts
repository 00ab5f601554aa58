/** Shows reports by state and what is left of their quotas: read when somebody scrapes, counted at most once a minute. */
import { unixMs } from "@fleetban/proto/model/time";
import { Gauge, type Registry } from "prom-client";
import { callsLeft } from "../reports/budget.ts";
import type { ReportsParts } from "../reports/parts.ts";
import { type ReportsStatus, reportsStatus } from "../reports/reports-status.ts";
import { withinMs } from "./within.ts";

const PREFIX = "fleetban_coordinator_";
const KEPT_MS = 60_000;
const STORE_MAX_MS = 2_000;

export function showReportGauges(
  registry: Registry,
  parts: Pick<ReportsParts, "store" | "ledger" | "clock" | "policy">,
): void {
  const { store, ledger, clock, policy } = parts;
  let kept: { readonly atMs: number; readonly status: Promise<ReportsStatus | undefined> } | undefined;
  const status = () => {
    if (kept === undefined || clock.monotonicMs() - kept.atMs > KEPT_MS) {
      const asked = reportsStatus(store.sql, unixMs(ledger.ledgerTimeMs()));
      kept = { atMs: clock.monotonicMs(), status: withinMs(clock, STORE_MAX_MS, asked) };
    }
    return kept.status;
  };
  new Gauge({
    name: `${PREFIX}reports`,
    help: "Reports to AbuseIPDB by state",
    labelNames: ["state"],
    registers: [registry],
    async collect() {
      this.reset();
      for (const [state, count] of Object.entries((await status())?.counts ?? {})) this.set({ state }, count);
    },
  });
  new Gauge({
    name: `${PREFIX}report_calls_left`,
    help: "Calls that AbuseIPDB's quotas leave for reports today",
    labelNames: ["endpoint"],
    registers: [registry],
    async collect() {
      this.reset();
      const now = unixMs(ledger.ledgerTimeMs());
      const share = policy().quotaShare;
      for (const quota of (await status())?.quotas ?? []) {
        const { endpoint, made } = quota;
        this.set({ endpoint }, callsLeft(endpoint, quota, { made, share, now }));
      }
    },
  });
}
