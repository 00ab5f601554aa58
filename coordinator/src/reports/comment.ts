/**
 * The comment of a report: what happened, over which port, how often and when, and the scrubbed lines behind it. Pure.
 *
 * It is public for ever and fixed once planned: a report that has to be sent again says the same, which AbuseIPDB merges.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { categoryName, isWellKnown } from "./categories.ts";
import { isFreeOf, scrub } from "./scrub.ts";
import type { SightedBy } from "./sighted.ts";

export interface Told {
  readonly address: Prefix;
  readonly categories: readonly number[];
  readonly sighted: readonly SightedBy[];
  readonly agents: number;
}

/** The service cuts there. */
const COMMENT_MAX = 1_024;
const LINES_MAX = 3;
const PORTS = /^[a-z0-9][a-z0-9,:-]{0,40}$/;

export function commentOf(
  told: Told,
  { evidence, words }: { readonly evidence: boolean; readonly words: readonly string[] },
): string {
  const head = headOf(told, words);
  const lines = evidence ? linesOf(told, words) : "";
  return cut(lines === "" ? head : `${head} ${lines}`, COMMENT_MAX);
}

function headOf({ categories, sighted, agents }: Told, words: readonly string[]): string {
  const bans = sighted.reduce((sum, one) => sum + one.bans, 0);
  const failures = sighted.reduce((sum, one) => sum + one.failures, 0);
  const first = moment(Math.min(...sighted.map(({ firstAtMs }) => firstAtMs)));
  const last = moment(Math.max(...sighted.map(({ lastAtMs }) => lastAtMs)));
  const failed = failures === 0 ? "" : `${count(failures, "failure")} in `; // 0 = nobody counted them
  const counts = `${failed}${count(bans, "ban")} by ${count(agents, "server")} of one fleet`;
  const what = `${categories.map(categoryName).join(", ")}: ${counts}${jailsOf(sighted)}${portsOf(sighted, words)}`;
  return `${what}, ${first === last ? first : `${first} to ${last}`}.`;
}

/** What no fail2ban has seen is not said to be of one. */
function jailsOf(sighted: readonly SightedBy[]): string {
  const named = (of: readonly SightedBy[]) => [...new Set(of.map(({ jail }) => jail).filter(isWellKnown))].sort();
  const own = named(sighted.filter(({ isFail2ban }) => isFail2ban));
  const others = named(sighted).filter((jail) => !own.includes(jail));
  const parts = [
    ...(own.length === 0 ? [] : [`fail2ban ${own.join(", ")}`]),
    ...(others.length === 0 ? [] : [others.join(", ")]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join("; ")})`;
}

/** As the jails name them, where they are names of services or plain numbers. */
function portsOf(sighted: readonly SightedBy[], words: readonly string[]): string {
  const ports = [...new Set(sighted.map(({ ports: named }) => named).filter((named) => PORTS.test(named)))].sort();
  const text = ports.join(",");
  return ports.length === 0 || !isFreeOf(text, words) ? "" : `, tcp ${text.slice(0, 60)}`;
}

function linesOf({ address, sighted }: Told, words: readonly string[]): string {
  const newest = [...sighted].sort((a, b) => b.lastAtMs - a.lastAtMs).find(({ evidence }) => evidence.trim() !== "");
  const lines = newest?.evidence.trim().split(/\r?\n/).slice(-LINES_MAX).join("\n") ?? "";
  return scrub(lines, { reported: address, words }) ?? "";
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** To the minute: the same for a while, and no fingerprint of a machine's clock. */
function moment(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16)}Z`;
}

/** Not within a character. */
function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
