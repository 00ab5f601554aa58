/** The policy's section `feeds`: its keys, of which the handbook and the schema are made too. */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";
import { LIST_FORMATS } from "./feed.ts";
import { LICENCES } from "./licence.ts";

const optional = { default: undefined } as const;

export const FEED_TABLE = {
  feeds: {
    kind: "named",
    description: "Outside lists, by the names that operators shall see; a preset's name alone is enough",
    of: {
      preset: {
        ...optional,
        kind: "text",
        description: "Whose settings hold where none is given here; default: the preset of the feed's own name",
      },
      mode: {
        ...optional,
        kind: "choice",
        of: ["off", "observe", "enforce"],
        description: "observe = fetched and counted, nothing is listed for it; default: the preset's, else enforce",
      },
      list: { kind: "text", default: "feeds", description: "Name of the list that it goes to" },
      url: {
        ...optional,
        kind: "text",
        description: "Where it is fetched",
        check: (text) => (isWebAddress(text) ? undefined : "must be an address that begins with https:// or http://"),
      },
      file: {
        ...optional,
        kind: "text",
        description: "Where it lies on the coordinator's machine, in place of url",
        check: (text) => (text.startsWith("/") ? undefined : "must be an absolute path; begin it with /"),
      },
      format: {
        ...optional,
        kind: "choice",
        of: LIST_FORMATS,
        description:
          "plain = an address, network or range a-b a line; netset = FireHOL's; csv; spamhaus = DROP as JSON lines; dshield; mmdb = a MaxMind database; default: the preset's, else mmdb or csv by the name's ending, else plain",
      },
      every: {
        ...optional,
        kind: "duration",
        min: "1m",
        max: "30d",
        description: "How often it is fetched; default: the preset's, else 1d",
      },
      stale_after: {
        ...optional,
        kind: "duration",
        min: "10m",
        max: "400d",
        description: "A listing ends so long after the last good fetch that named it; default: the preset's, else 3d",
      },
      oldest: {
        ...optional,
        kind: "duration",
        min: "1h",
        max: "4000d",
        description: "A list whose own date is older is refused; default: the preset's, else its date is not looked at",
      },
      confidence: {
        ...optional,
        kind: "number",
        min: 1,
        max: 100,
        description: "Of entries for which the list tells none; ranks them; default: the preset's, else 75",
      },
      confidence_minimum: {
        ...optional,
        kind: "number",
        min: 0,
        max: 100,
        description:
          "Entries that the list gives less are left out; AbuseIPDB: from 25, below 100 needs a subscription",
      },
      limit: {
        ...optional,
        kind: "number",
        min: 1,
        max: 2_000_000,
        description:
          "Most entries: of AbuseIPDB those asked for (free: 10,000), of others more are refused; default: 10000, 1000000",
      },
      max_size: {
        kind: "bytes",
        default: "32MiB",
        description: "A longer body is refused; unpacked as well as packed",
      },
      may_be_empty: {
        ...optional,
        kind: "flag",
        description: "A list without entries is taken, unless it had many before",
      },
      licence: {
        ...optional,
        kind: "choice",
        of: LICENCES,
        description:
          "What its terms let others do: decides whether published lists contain it; default: the preset's, else own-use",
      },
      ip_version: {
        ...optional,
        kind: "choice",
        of: ["4", "6"],
        description: "Only addresses of that version; default: both",
      },
      only_countries: {
        kind: "texts",
        default: [],
        description: "Only entries of these countries, where the list tells them",
        check: countryProblem,
      },
      except_countries: {
        kind: "texts",
        default: [],
        description: "No entries of these countries",
        check: countryProblem,
      },
      only_networks: {
        kind: "texts",
        default: [],
        description: "Only entries of these autonomous systems, such as AS64500, where the list tells them",
        check: (text) => (/^(?:AS)?[1-9]\d{0,9}$/i.test(text) ? undefined : "must be numbers like AS64500"),
      },
      plaintext: {
        kind: "flag",
        default: false,
        description: "AbuseIPDB: asks for the short form, which has no scores",
      },
      "csv.separator": {
        kind: "text",
        default: ",",
        description: "Between the columns of a csv; tab for a tabulator",
        check: (text) => (text === "tab" || /^[^\s"\w]$/.test(text) ? undefined : "must be one character, or tab"),
      },
      "csv.column": {
        kind: "text",
        default: "1",
        description: "Of the address, network or range: its number from 1, or its name in the first line",
      },
      "csv.end_column": { ...optional, kind: "text", description: "Of a range's last address" },
      "csv.confidence_column": { ...optional, kind: "text", description: "Of the confidence, 0 to 100" },
      "csv.country_column": { ...optional, kind: "text", description: "Of the country's two letters" },
      "csv.network_column": { ...optional, kind: "text", description: "Of the autonomous system's number" },
    },
  },
} as const satisfies ConfigTable;

/** As the policy has them, by name. */
export type FeedSections = ConfigOf<typeof FEED_TABLE>["feeds"];
export type FeedSection = FeedSections[string];

function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^\s@]+$/.test(text) && URL.canParse(text);
}

function countryProblem(text: string): string | undefined {
  return /^[A-Z]{2}$/.test(text) ? undefined : "must be two capital letters each, such as DE";
}
