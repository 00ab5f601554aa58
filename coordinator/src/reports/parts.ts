/** What this room's functions are given. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Ledger } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import type { ReportApi } from "./abuseipdb-report.ts";
import type { Exchange } from "./exchange.ts";
import type { ReportPolicySource } from "./report-table.ts";

/** What became of a report, for metrics. */
export type ReportOutcome = "sent" | "duplicate" | "refused" | "unknown" | "not-sent";

export interface ReportsParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "ledgerTimeMs">;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly policy: ReportPolicySource;
  /** Undefined = no key is configured. */
  readonly api: ReportApi | undefined;
  /** Of the coordinators: no comment may hold them, nor the names of agents. */
  readonly hostNames: readonly string[];
  readonly observe: (outcome: ReportOutcome, count: number) => void;
}
