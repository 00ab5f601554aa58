/**
 * From the policy's section `feeds` to definitions, presets filled in.
 *
 * AbuseIPDB needs a key, which is in coordinator.yaml: with one it is on, as its preset says, unless the policy says
 * otherwise; without one it is off, whatever the policy says.
 */
import type { AbuseIpdbFeed, AbuseIpdbSettings, EntryFilter, FeedDefinition, ListFeed, ListFormat } from "./feed.ts";
import type { FeedSection, FeedSections } from "./feed-table.ts";
import { ABUSEIPDB_PRESET, type Preset, presetOf } from "./presets.ts";

/** From coordinator.yaml. */
export type AbuseIpdbAccess = Pick<AbuseIpdbSettings, "url" | "key" | "callsPerDay" | "callsKept">;

export interface FeedChoices {
  readonly feeds: FeedSections;
  readonly abuseipdb: AbuseIpdbAccess | undefined;
}

const DAY_SECONDS = 86_400;
const PACE_SECONDS = 300; // for publishers of whom nothing is known
const LIST_ENTRIES = 1_000_000;
const DATABASE_BYTES = 256 * 2 ** 20; // a database of the whole internet, of which a part is wanted
export const ABUSEIPDB = ABUSEIPDB_PRESET.name;

/** Of a policy without problems. */
export function feedDefinitionsOf({ feeds, abuseipdb }: FeedChoices): readonly FeedDefinition[] {
  const named = Object.entries(feeds).flatMap(([name, section]): readonly FeedDefinition[] => {
    if (presetName(name, section) !== ABUSEIPDB) return [listFeedOf(name, section)];
    return abuseipdb === undefined ? [] : [abuseIpdbFeedOf(name, section, abuseipdb)];
  });
  const isNamed = Object.entries(feeds).some(([name, section]) => presetName(name, section) === ABUSEIPDB);
  if (isNamed || abuseipdb === undefined) return named;
  return [...named, abuseIpdbFeedOf(ABUSEIPDB, undefined, abuseipdb)];
}

/** The preset that fills the section in, if one does. */
export function presetName(feed: string, section: FeedSection): string | undefined {
  if (section.preset !== undefined) return section.preset;
  const isOwn = section.url !== undefined || section.file !== undefined;
  return !isOwn && (feed === ABUSEIPDB || presetOf(feed) !== undefined) ? feed : undefined;
}

function abuseIpdbFeedOf(name: string, section: FeedSection | undefined, access: AbuseIpdbAccess): AbuseIpdbFeed {
  return {
    name,
    kind: "abuseipdb",
    mode: section?.mode ?? ABUSEIPDB_PRESET.mode,
    list: section?.list ?? "feeds",
    ...timesOf(section, ABUSEIPDB_PRESET),
    licence: section?.licence ?? ABUSEIPDB_PRESET.licence,
    filter: filterOf(section),
    abuseipdb: {
      ...access,
      confidenceMinimum: section?.confidence_minimum ?? ABUSEIPDB_PRESET.confidenceMinimum,
      limit: section?.limit ?? ABUSEIPDB_PRESET.limit,
      plaintext: section?.plaintext ?? false,
    },
  };
}

function listFeedOf(name: string, section: FeedSection): ListFeed {
  const preset = presetOf(presetName(name, section) ?? "");
  const format = formatOf(section, preset);
  const isFile = section.file !== undefined;
  return {
    name,
    kind: "list",
    mode: section.mode ?? preset?.mode ?? "enforce",
    list: section.list,
    ...timesOf(section, preset),
    licence: section.licence ?? preset?.licence ?? "own-use",
    filter: filterOf(section),
    settings: {
      at: isFile ? { kind: "file", path: section.file ?? "" } : { kind: "url", url: section.url ?? preset?.url ?? "" },
      format,
      columns: columnsOf(section),
      confidence: section.confidence ?? preset?.confidence ?? 75,
      confidenceMinimum: section.confidence_minimum ?? 0,
      paceSeconds: isFile ? 0 : (preset?.paceSeconds ?? Math.min(PACE_SECONDS, (section.every ?? Infinity) / 1_000)),
      maxBytes: format === "mmdb" ? Math.max(DATABASE_BYTES, section.max_size) : section.max_size,
      maxEntries: section.limit ?? LIST_ENTRIES,
      mayBeEmpty: section.may_be_empty ?? preset?.mayBeEmpty ?? false,
      oldestSeconds: section.oldest === undefined ? (preset?.oldestSeconds ?? 0) : section.oldest / 1_000,
    },
  };
}

export function timesOf(
  section: Pick<FeedSection, "every" | "stale_after"> | undefined,
  preset: { readonly everySeconds: number; readonly staleAfterSeconds: number } | undefined,
) {
  const { every, stale_after: stale } = section ?? {};
  return {
    everySeconds: every === undefined ? (preset?.everySeconds ?? DAY_SECONDS) : every / 1_000,
    staleAfterSeconds: stale === undefined ? (preset?.staleAfterSeconds ?? 3 * DAY_SECONDS) : stale / 1_000,
  };
}

export function formatOf(section: FeedSection, preset: Preset | undefined): ListFormat {
  const name = (section.file ?? section.url ?? "").replace(/\.gz$/, "");
  const byName = name.endsWith(".mmdb") ? "mmdb" : /\.(?:csv|tsv)$/.test(name) ? "csv" : "plain";
  return section.format ?? preset?.format ?? byName;
}

function columnsOf(section: FeedSection): ListFeed["settings"]["columns"] {
  const { "csv.end_column": end, "csv.confidence_column": confidence } = section;
  const { "csv.country_column": country, "csv.network_column": network } = section;
  const separator = section["csv.separator"];
  return {
    separator: separator === "tab" ? "\t" : separator,
    prefix: section["csv.column"],
    ...(end === undefined ? {} : { end }),
    ...(confidence === undefined ? {} : { confidence }),
    ...(country === undefined ? {} : { country }),
    ...(network === undefined ? {} : { network }),
  };
}

function filterOf(section: FeedSection | undefined): EntryFilter {
  return {
    onlyCountries: section?.only_countries ?? [],
    exceptCountries: section?.except_countries ?? [],
    onlyNetworks: (section?.only_networks ?? []).map((text) => Number(text.replace(/^AS/i, ""))),
    ...(section?.ip_version === undefined ? {} : { ipVersion: section.ip_version === "4" ? 4 : 6 }),
  };
}
