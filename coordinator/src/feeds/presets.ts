/**
 * Lists that many fleets use: where they are, how often their publishers want to be asked, and what their terms allow.
 *
 * Each can be changed key by key in the policy. What is known of each, with its sources, is in the handbook (docs/feeds.md).
 */
import type { FeedMode, ListFormat } from "./feed.ts";
import type { Licence } from "./licence.ts";

export interface Preset {
  readonly name: string;
  readonly title: string;
  readonly url: string;
  readonly format: ListFormat;
  readonly mode: FeedMode;
  readonly everySeconds: number;
  readonly paceSeconds: number;
  readonly staleAfterSeconds: number;
  readonly confidence: number;
  readonly licence: Licence;
  /** Terms and traps, one sentence. */
  readonly note: string;
  readonly mayBeEmpty?: boolean;
  readonly oldestSeconds?: number;
}

export const ABUSEIPDB_PRESET = {
  name: "abuseipdb",
  title: "AbuseIPDB blacklist",
  mode: "enforce",
  everySeconds: 86_400,
  staleAfterSeconds: 3 * 86_400,
  confidenceMinimum: 100,
  limit: 10_000,
  licence: "own-use",
  note: "needs a key in coordinator.yaml; free: 5 calls a day, 10,000 entries at confidence 100; for protecting own systems",
} as const;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Half an hour or an hour apart, kept two days. */
const frequent = { format: "plain", mode: "enforce", staleAfterSeconds: 2 * DAY, confidence: 75 } as const;
const blocklistDe = (name: string, title: string): Preset => ({
  ...frequent,
  name: `blocklist-de-${name}`,
  title: `blocklist.de, ${title}`,
  url: `https://lists.blocklist.de/lists/${name}.txt`,
  everySeconds: HOUR,
  paceSeconds: 30 * MINUTE,
  licence: "free",
  note: "free to use, no warranty; an address is on it for 48 hours; downloads that break off have been seen",
});
const firehol = (level: number, title: string): Preset => ({
  name: `firehol-level${level}`,
  title: `FireHOL level ${level}, ${title}`,
  url: `https://iplists.firehol.org/files/firehol_level${level}.netset`,
  format: "netset",
  mode: "observe",
  everySeconds: 12 * HOUR,
  paceSeconds: HOUR,
  staleAfterSeconds: 4 * DAY,
  confidence: level === 1 ? 90 : 75,
  licence: "own-use",
  note: "a merge of lists with terms of their own; level 1 names private ranges too, which are left out; lists in it have stood still for months",
  oldestSeconds: 7 * DAY,
});
const spamhaus = (family: 4 | 6): Preset => ({
  name: `spamhaus-drop-v${family}`,
  title: `Spamhaus DROP, IPv${family}`,
  url: `https://www.spamhaus.org/drop/drop_v${family}.json`,
  format: "spamhaus",
  mode: "enforce",
  everySeconds: 12 * HOUR,
  paceSeconds: HOUR,
  staleAfterSeconds: 7 * DAY,
  confidence: 100,
  licence: "credit",
  note: "free for all; name Spamhaus, keep its copyright line and date; who asks more than once an hour is shut out",
  oldestSeconds: 14 * DAY,
});

export const PRESETS: readonly Preset[] = [
  spamhaus(4),
  spamhaus(6),
  {
    name: "dshield",
    title: "DShield, the twenty networks that attack most",
    url: "https://feeds.dshield.org/block.txt",
    format: "dshield",
    mode: "observe",
    everySeconds: HOUR,
    paceSeconds: 30 * MINUTE,
    staleAfterSeconds: 3 * DAY,
    confidence: 90,
    licence: "non-commercial",
    note: "CC BY-NC-SA: not for commercial use; research scanners are on it by intent",
  },
  blocklistDe("all", "all services"),
  blocklistDe("ssh", "SSH"),
  blocklistDe("mail", "mail"),
  blocklistDe("apache", "web servers"),
  blocklistDe("strongips", "reported again and again for a month"),
  blocklistDe("bruteforcelogin", "log-ins of web sites"),
  firehol(1, "networks that attack"),
  firehol(2, "attacks of the last 48 hours"),
  firehol(3, "attacks of the last 30 days"),
  {
    name: "feodo-tracker",
    title: "Feodo Tracker, servers that command botnets",
    url: "https://feodotracker.abuse.ch/downloads/ipblocklist.txt",
    format: "plain",
    mode: "observe",
    everySeconds: HOUR,
    paceSeconds: 5 * MINUTE,
    staleAfterSeconds: 2 * DAY,
    confidence: 90,
    licence: "free",
    note: "CC0; a handful of entries, at times none: of use for outgoing traffic, of next to none for incoming",
    mayBeEmpty: true,
  },
  {
    name: "tor-exits",
    title: "Tor exit nodes",
    url: "https://check.torproject.org/torbulkexitlist",
    format: "plain",
    mode: "observe",
    everySeconds: HOUR,
    paceSeconds: HOUR,
    staleAfterSeconds: DAY,
    confidence: 25,
    licence: "free",
    note: "no attackers as such: to block them is a choice, so it is only observed unless told otherwise",
  },
  {
    ...frequent,
    name: "cins-army",
    title: "CINS Army",
    url: "https://cinsscore.com/list/ci-badguys.txt",
    everySeconds: 3 * HOUR,
    paceSeconds: HOUR,
    licence: "free",
    note: "free to use as it is; always 15,000 entries, so its count tells nothing; neighbours of scanners are on it",
  },
  {
    ...frequent,
    name: "greensnow",
    title: "GreenSnow",
    url: "https://blocklist.greensnow.co/greensnow.txt",
    everySeconds: HOUR,
    paceSeconds: 30 * MINUTE,
    licence: "free",
    note: "free; private addresses have been on it, which are left out",
  },
  {
    ...frequent,
    name: "emerging-threats-block",
    title: "Emerging Threats, addresses to block",
    url: "https://rules.emergingthreats.net/fwrules/emerging-Block-IPs.txt",
    everySeconds: DAY,
    paceSeconds: HOUR,
    staleAfterSeconds: 4 * DAY,
    confidence: 90,
    licence: "own-use",
    note: "BSD, but made of Feodo, Spamhaus and DShield, whose terms hold for their parts",
  },
  {
    ...frequent,
    name: "emerging-threats-compromised",
    title: "Emerging Threats, compromised hosts",
    url: "https://rules.emergingthreats.net/blockrules/compromised-ips.txt",
    everySeconds: DAY,
    paceSeconds: HOUR,
    staleAfterSeconds: 4 * DAY,
    licence: "free",
    note: "BSD",
  },
];

export function presetOf(name: string): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name);
}
