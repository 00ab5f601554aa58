/** What rooms and drivers are given of the configuration: the policy's settings, the feeds, the ports. */
import { parseDurationSeconds } from "@fleetban/kit/duration";
import type { CoordinatorConfig } from "./config.ts";
import type { PortWish } from "./drivers/grpc-server.ts";
import type { FeedDefinition } from "./feeds/feed.ts";
import type { Policy } from "./policy/policy.ts";
import { DEFAULT_POLICY } from "./policy/policy-in-force.ts";

export function policyOf(config: CoordinatorConfig): Policy {
  const ladderSeconds = config["policy.ladder"].map(parseDurationSeconds);
  const jails = Object.entries(config["policy.jails"]);
  return {
    ...DEFAULT_POLICY,
    ladderSeconds,
    maxSeconds: Math.max(...ladderSeconds),
    corroboration: config["policy.corroboration"],
    threshold: config["policy.threshold"],
    jailWeights: Object.fromEntries(jails.map(([jail, { weight }]) => [jail, weight])),
    retentionSeconds: config.retention / 1_000,
    pruneAfterSeconds: (config["policy.prune_after"] ?? 0) / 1_000,
  };
}

/** Without a key there is no feed. */
export function configuredFeeds(config: CoordinatorConfig): readonly FeedDefinition[] {
  const key = config["feeds.abuseipdb.key"];
  if (key === undefined) return [];
  return [
    {
      name: "abuseipdb",
      kind: "abuseipdb",
      mode: config["feeds.abuseipdb.mode"],
      list: "feeds",
      licence: "own-use",
      filter: { onlyCountries: [], exceptCountries: [], onlyNetworks: [] },
      everySeconds: config["feeds.abuseipdb.every"] / 1_000,
      staleAfterSeconds: config["feeds.abuseipdb.stale_after"] / 1_000,
      abuseipdb: {
        url: config["feeds.abuseipdb.url"].replace(/\/+$/, ""),
        key,
        confidenceMinimum: config["feeds.abuseipdb.confidence_minimum"],
        limit: config["feeds.abuseipdb.limit"],
        callsPerDay: config["feeds.abuseipdb.calls_per_day"],
        callsKept: config["feeds.abuseipdb.calls_kept"],
        plaintext: false,
      },
    },
  ];
}

export function portsOf(config: CoordinatorConfig): Record<"fleet" | "enrollment" | "web", PortWish> {
  const host = config["listen.host"];
  const place = (purpose: string, key: "listen.fleet_port" | "listen.enrollment_port" | "web.port") => {
    return { host: key === "web.port" ? config["web.host"] : host, port: config[key], purpose, key };
  };
  return {
    fleet: place("Fleet and Admin", "listen.fleet_port"),
    enrollment: place("Enrollment", "listen.enrollment_port"),
    web: place("health and metrics", "web.port"),
  };
}
