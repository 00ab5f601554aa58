/** The policy file's keys of this room: what is reported to AbuseIPDB, under which categories, and how much of the quota it takes. */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";
import { CATEGORIES, type JailMap, parseCategory } from "./categories.ts";

export const REPORT_TABLE = {
  "report.mode": {
    kind: "choice",
    of: ["off", "send"],
    default: "off",
    description: "send = what this fleet sighted is reported to AbuseIPDB; look first at: fleetban reports preview",
  },
  "report.by": {
    kind: "choice",
    of: ["both", "single", "bulk"],
    default: "both",
    description:
      "both = an address reported for the first time at once, the rest in files of up to 10,000 some times a day",
  },
  "report.jails": {
    kind: "named",
    description:
      "Categories by jail, where those that are known do not fit; the beginning of a jail's name up to a - will do, or *-end",
    of: {
      categories: {
        kind: "texts",
        default: [],
        description: "Names (ssh, brute-force, …) or numbers of AbuseIPDB's categories; none = never reported",
        check: (text) =>
          parseCategory(text) === undefined
            ? `must be one of ${Object.keys(CATEGORIES).join(", ")}, or its number`
            : undefined,
      },
    },
  },
  "report.agents": {
    kind: "number",
    default: 1,
    min: 1,
    max: 1_000,
    description: "So many agents must have sighted an address",
  },
  "report.evidence": {
    kind: "flag",
    default: true,
    description: "The lines that led to a ban go along, scrubbed, where an agent hands them over",
  },
  "report.scrub": {
    kind: "texts",
    default: [],
    description: "Words that no comment may hold, beside the names and addresses of the fleet",
    check: (text) => (text.trim().length >= 3 ? undefined : "must have three characters or more"),
  },
  "report.again_after": {
    kind: "duration",
    default: "1d",
    min: "15m",
    max: "60d",
    description:
      "An address is reported again after so long, if it was sighted again; of an IPv6 /64 one address in that time",
  },
  "report.max_age": {
    kind: "duration",
    default: "2d",
    min: "1h",
    max: "60d",
    description: "What happened longer ago is not reported any more; AbuseIPDB takes 60 days at most",
  },
  "report.quota_share": {
    kind: "number",
    default: 0.8,
    min: 0.01,
    max: 1,
    isFraction: true,
    description: "Part of the daily quota, as AbuseIPDB tells it, that is used",
  },
} as const satisfies ConfigTable;

export interface ReportPolicy {
  readonly mode: "off" | "send";
  readonly by: "both" | "single" | "bulk";
  readonly jails: JailMap;
  readonly agents: number;
  readonly evidence: boolean;
  readonly scrub: readonly string[];
  readonly againAfterSeconds: number;
  readonly maxAgeSeconds: number;
  readonly quotaShare: number;
}

/** Gives the one in force now. */
export type ReportPolicySource = () => ReportPolicy;

export function reportPolicyOf(config: ConfigOf<typeof REPORT_TABLE>): ReportPolicy {
  const jails = Object.entries(config["report.jails"]);
  return {
    mode: config["report.mode"],
    by: config["report.by"],
    jails: Object.fromEntries(jails.map(([jail, { categories }]) => [jail, numbersOf(categories)])),
    agents: config["report.agents"],
    evidence: config["report.evidence"],
    scrub: config["report.scrub"],
    againAfterSeconds: config["report.again_after"] / 1_000,
    maxAgeSeconds: config["report.max_age"] / 1_000,
    quotaShare: config["report.quota_share"],
  };
}

function numbersOf(categories: readonly string[]): readonly number[] {
  return [...new Set(categories.map((text) => parseCategory(text) ?? 0))];
}
