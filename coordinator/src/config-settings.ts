/** What rooms and drivers are given of the configuration: the access to AbuseIPDB, the ports. */
import type { CoordinatorConfig } from "./config.ts";
import type { PortWish } from "./drivers/grpc-server.ts";
import type { AbuseIpdbAccess } from "./feeds/definitions.ts";

/** What the policy does not say of AbuseIPDB; undefined = there is no key, and the feed is off. */
export function abuseIpdbAccessOf(config: CoordinatorConfig): AbuseIpdbAccess | undefined {
  const key = config["feeds.abuseipdb.key"];
  if (key === undefined) return undefined;
  return {
    key,
    url: config["feeds.abuseipdb.url"].replace(/\/+$/, ""),
    callsPerDay: config["feeds.abuseipdb.calls_per_day"],
    callsKept: config["feeds.abuseipdb.calls_kept"],
  };
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
