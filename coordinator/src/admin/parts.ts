/** What the Admin service's functions are given by main.ts. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Authority } from "../enrollment/certificates.ts";
import type { FeedsParts } from "../feeds/parts.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { PacksParts } from "../guardrails/sync-packs.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { NotificationsParts } from "../notifications/parts.ts";
import type { LifeParts } from "../policies/policy-life.ts";
import type { PolicySource } from "../policy/policy.ts";
import type { ReportsParts } from "../reports/parts.ts";
import type { Store } from "../store/store.ts";
import type { Health } from "../web/health.ts";
import type { CoordinatorMetrics } from "../web/metrics.ts";

export interface AdminParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly fleet: Fleet;
  readonly feeds: FeedsParts;
  readonly packs: Pick<PacksParts, "readPacks" | "chosen">;
  readonly policy: PolicySource;
  readonly policies: LifeParts;
  readonly reports: ReportsParts;
  readonly notifications: NotificationsParts;
  readonly health: Pick<Health, "warnables">;
  readonly metrics: Pick<CoordinatorMetrics, "auditRecord" | "probe">;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly program: ProgramFacts;
  readonly addresses: AdvertisedAddresses;
}

export interface ProgramFacts {
  readonly version: string;
  readonly replica: string;
  readonly startedAtMs: number;
  readonly jobs: "redis" | "timer";
}

/** `host:port` each, as others reach this coordinator. */
export interface AdvertisedAddresses {
  readonly fleet: readonly string[];
  readonly enrollment: readonly string[];
  /** Published lists, `https://host:port`; none = nothing is published. */
  readonly publish?: readonly string[];
}
