/** The keys of coordinator.yaml by which reports go out: place and secret, nothing that judges. */
import type { ConfigTable } from "@fleetban/kit/config";

export const REPORT_CONFIG = {
  "reports.abuseipdb.key": {
    kind: "text",
    default: undefined,
    description:
      "Key with which is reported; default: that of feeds.abuseipdb. The policy's report.mode switches it on",
  },
  "reports.abuseipdb.key_file": { kind: "text", default: undefined, description: "File that holds the key" },
  "reports.abuseipdb.url": {
    kind: "text",
    default: undefined,
    description: "Base of the API; default: that of feeds.abuseipdb",
    check: (text) => (/^https?:\/\/\S+$/.test(text) ? undefined : "must begin with https://"),
  },
} as const satisfies ConfigTable;
