/** Joins what goes out: reports to AbuseIPDB, and news to operators. */
import type { Clock } from "@fleetban/kit/clock";
import { VERSION } from "@fleetban/kit/drivers/version";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { CoordinatorConfig } from "../config.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { notificationPolicyOf } from "../notifications/notification-table.ts";
import type { NotificationsParts } from "../notifications/parts.ts";
import type { PolicyInForceSource } from "../policy/policy-in-force.ts";
import type { ReportApi } from "../reports/abuseipdb-report.ts";
import type { ReportsParts } from "../reports/parts.ts";
import { reportPolicyOf } from "../reports/report-table.ts";
import type { Store } from "../store/store.ts";
import type { CoordinatorMetrics } from "../web/metrics.ts";
import { exchangeOverHttp } from "./http-exchange.ts";
import { sendMailOverSmtp } from "./smtp-mail.ts";

export interface OutgoingParts {
  readonly config: OutgoingConfig;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly fleet: Pick<Fleet, "isOnline">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly replica: string;
  readonly metrics: Pick<CoordinatorMetrics, "reports" | "notification">;
  readonly inForce: PolicyInForceSource;
  /** Of this coordinator: no comment may hold them. */
  readonly hostNames: readonly string[];
}

export type OutgoingConfig = Pick<
  CoordinatorConfig,
  "channels" | "reports.abuseipdb.key" | "reports.abuseipdb.url" | "feeds.abuseipdb.key" | "feeds.abuseipdb.url"
>;

export interface Outgoing {
  readonly reports: ReportsParts;
  readonly notifications: NotificationsParts;
}

export function openOutgoing(parts: OutgoingParts): Outgoing {
  const { config, store, ledger, fleet, clock, random, log, replica, metrics, inForce } = parts;
  const shared = { store, ledger, clock, random, log, exchange: exchangeOverHttp };
  return {
    reports: {
      ...shared,
      policy: () => reportPolicyOf(inForce().file),
      api: reportApiOf(config),
      hostNames: [replica, ...parts.hostNames],
      observe: metrics.reports,
    },
    notifications: {
      ...shared,
      sendMail: sendMailOverSmtp,
      policy: () => notificationPolicyOf(inForce().file),
      repeatStrikes: () => inForce().policy.repeatStrikes,
      channels: config.channels,
      isOnline: fleet.isOnline,
      replica,
      programVersion: VERSION,
      startedMs: clock.monotonicMs(),
      observe: metrics.notification,
    },
  };
}

/** The feed's key does for both, unless reports have one of their own. */
function reportApiOf(config: OutgoingConfig): ReportApi | undefined {
  const key = config["reports.abuseipdb.key"] ?? config["feeds.abuseipdb.key"];
  const url = config["reports.abuseipdb.url"] ?? config["feeds.abuseipdb.url"];
  return key === undefined ? undefined : { key, url: url.replace(/\/+$/, ""), programVersion: VERSION };
}
