/** What of the policy's section `feeds` cannot be meant, though each key by itself is right. */
import type { ComplainAt } from "@fleetban/kit/config";
import { formatDuration } from "@fleetban/kit/duration";
import { nearest } from "@fleetban/kit/nearest";
import { ABUSEIPDB, formatOf, presetName, timesOf } from "./definitions.ts";
import type { FeedSection, FeedSections } from "./feed-table.ts";
import { ABUSEIPDB_PRESET, PRESETS, type Preset, presetOf } from "./presets.ts";

/** As far as feeds have to do with it. */
export interface FeedSurroundings {
  readonly feeds: FeedSections;
  readonly lists: Readonly<Record<string, unknown>>;
  readonly jails: Readonly<Record<string, { readonly list: string }>>;
}

/** A mistake that no key shows alone. */
interface FeedProblem {
  readonly feed: string;
  /** Below the feed's name. */
  readonly key: keyof FeedSection | undefined;
  /** `is "x": …` or `…`, with the remedy. */
  readonly problem: string;
  /** Keys without which nothing can be said; one of them that is wrong by itself is told alone. */
  readonly restsOn?: readonly (keyof FeedSection)[];
}

const FEEDS_LIST = "feeds";

export function compareFeeds({ feeds, lists, jails }: FeedSurroundings, complain: ComplainAt): void {
  for (const { feed, key, problem, restsOn = [] } of feedProblems(feeds)) {
    const pathOf = (one: keyof FeedSection | undefined) => [
      "feeds",
      feed,
      ...(one === undefined ? [] : one.split(".")),
    ];
    complain(pathOf(key), problem, restsOn.map(pathOf));
  }
  for (const [feed, { list }] of Object.entries(feeds)) {
    const problem = listProblem(list, Object.keys(lists), jails);
    if (problem !== undefined) complain(["feeds", feed, "list"], `is ${JSON.stringify(list)}: ${problem}`);
  }
}

/** A list of sightings would lose its strikes to a feed's refresh. */
function listProblem(list: string, own: readonly string[], jails: FeedSurroundings["jails"]): string | undefined {
  if (list === FEEDS_LIST) return undefined;
  const jail = Object.keys(jails).find((name) => jails[name]?.list === list);
  if (jail !== undefined) return `jail ${jail} goes to it; give feeds a list that no jail goes to`;
  if (own.includes(list)) return undefined;
  const meant = nearest(list, [FEEDS_LIST, ...own]);
  return `no list for feeds; ${meant === undefined ? `write ${FEEDS_LIST}, or define it below lists` : `did you mean ${meant}?`}`;
}

function feedProblems(feeds: FeedSections): readonly FeedProblem[] {
  const entries = Object.entries(feeds);
  const twice = entries.filter(([name, section]) => presetName(name, section) === ABUSEIPDB).slice(1);
  const oneKey = twice.map(([feed]) => {
    const problem = "is a second feed of AbuseIPDB: the calls of its key are counted for one; remove one of them";
    return { feed, key: undefined, problem };
  });
  return [...entries.flatMap(([name, section]) => problemsOf(name, section)), ...oneKey];
}

function problemsOf(feed: string, section: FeedSection): FeedProblem[] {
  const problems: FeedProblem[] = [];
  const complain = (key: FeedProblem["key"], problem: string, restsOn: FeedProblem["restsOn"] = []) =>
    void problems.push({ feed, key, problem, restsOn });
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(feed)) {
    complain(undefined, "is no name for a feed: up to 63 small letters, digits, . _ - after a letter or digit");
  }
  const preset = presetOf(presetName(feed, section) ?? "");
  const isAbuseIpdb = presetName(feed, section) === ABUSEIPDB;
  if (section.preset !== undefined && preset === undefined && !isAbuseIpdb) {
    const meant = nearest(section.preset, [ABUSEIPDB, ...PRESETS.map(({ name }) => name)]);
    const remedy = meant === undefined ? "see: fleetban feeds presets" : `did you mean ${meant}?`;
    complain("preset", `is ${JSON.stringify(section.preset)}: there is none of that name; ${remedy}`);
  }
  const { everySeconds, staleAfterSeconds } = timesOf(section, isAbuseIpdb ? ABUSEIPDB_PRESET : preset);
  if (staleAfterSeconds <= everySeconds) {
    const key = section.stale_after === undefined ? "every" : "stale_after";
    complain(
      key,
      `makes a listing end before the next fetch: stale_after must be longer than every; change one of them`,
      ["every", "stale_after"],
    );
  }
  const isOwnPlace = section.url !== undefined || section.file !== undefined;
  if (preset !== undefined && !isOwnPlace && everySeconds < preset.paceSeconds) {
    const least = formatDuration(preset.paceSeconds);
    complain(
      "every",
      `is ${formatDuration(everySeconds)}: its publisher wants ${least} between two; write that or more`,
    );
  }
  if (section.only_countries.length > 0 && section.except_countries.length > 0) {
    complain("except_countries", "is given beside only_countries; remove one of them");
  }
  if (isAbuseIpdb) problems.push(...abuseIpdbProblems(feed, section));
  else problems.push(...listProblems(feed, section, preset));
  return problems;
}

function abuseIpdbProblems(feed: string, section: FeedSection): FeedProblem[] {
  const foreign = (["url", "file", "format", "confidence", "oldest", "may_be_empty"] as const)
    .filter((key) => section[key] !== undefined)
    .map((key) => ({ feed, key, problem: "is for lists by URL or file, not for AbuseIPDB; remove it" }));
  const minimum = section.confidence_minimum ?? ABUSEIPDB_PRESET.confidenceMinimum;
  const tooLow = { feed, key: "confidence_minimum" as const, problem: `is ${minimum}: AbuseIPDB gives none below 25` };
  const tooMany = {
    feed,
    key: "limit" as const,
    problem: `is ${section.limit}: AbuseIPDB gives 500000 at most; write that or less`,
  };
  const networks = {
    feed,
    key: "only_networks" as const,
    problem: "is given, and AbuseIPDB tells no networks; remove it",
  };
  return [
    ...foreign,
    ...(minimum < 25 ? [tooLow] : []),
    ...((section.limit ?? 0) > 500_000 ? [tooMany] : []),
    ...(section.only_networks.length > 0 ? [networks] : []),
  ];
}

function listProblems(feed: string, section: FeedSection, preset: Preset | undefined): FeedProblem[] {
  const { url, file } = section;
  if (url !== undefined && file !== undefined)
    return [{ feed, key: "file", problem: "is given beside url; remove one" }];
  if (preset === undefined && section.preset === undefined && url === undefined && file === undefined) {
    const meant = nearest(feed, [ABUSEIPDB, ...PRESETS.map(({ name }) => name)]);
    const remedy =
      meant === undefined ? "give it a url or a file" : `give it a url or a file, or did you mean ${meant}?`;
    return [{ feed, key: undefined, problem: `says nowhere what to fetch; ${remedy}`, restsOn: ["url", "file"] }];
  }
  const format = formatOf(section, preset);
  const isFiltered = section.only_countries.length + section.except_countries.length + section.only_networks.length > 0;
  const problems: FeedProblem[] = [];
  if (format === "mmdb" && section.only_countries.length + section.only_networks.length === 0) {
    const problem = "is a database of everybody: say which, with only_countries or only_networks";
    problems.push({ feed, key: file === undefined ? "url" : "file", problem });
  }
  if (isFiltered && format !== "mmdb" && format !== "csv" && format !== "dshield") {
    const key = section.only_networks.length > 0 ? "only_networks" : countryKey(section);
    problems.push({ feed, key, problem: `is given, and a list of format ${format} does not tell it; remove it` });
  }
  const { "csv.country_column": country, "csv.network_column": network } = section;
  if (format === "csv" && country === undefined && section.only_countries.length + section.except_countries.length > 0)
    problems.push({ feed, key: countryKey(section), problem: "needs csv.country_column; say which it is" });
  if (format === "csv" && network === undefined && section.only_networks.length > 0)
    problems.push({ feed, key: "only_networks", problem: "needs csv.network_column; say which it is" });
  return problems;
}

function countryKey(section: FeedSection): "only_countries" | "except_countries" {
  return section.only_countries.length > 0 ? "only_countries" : "except_countries";
}
