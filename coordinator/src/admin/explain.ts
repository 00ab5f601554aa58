/**
 * Why a prefix is listed or not, from all that is known of it, and what would take it off (invariant 9).
 *
 * Every way off is a command that works as it stands, or a date.
 */
import { isSingle, lengthOf, type Prefix, parsePrefix, widen } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { secondsFromMs, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { ExplainRequest, ExplainResponse, Listing } from "@fleetban/proto/wire/admin";
import { hitsOf } from "../hits/value-queries.ts";
import { untilText } from "./act-effects.ts";
import { actMessage } from "./act-message.ts";
import { activeActs, type StoredAct } from "./act-queries.ts";
import { agentNames } from "./evidence-queries.ts";
import { explainJudgement } from "./explain-judgement.ts";
import { feedsNaming, type NamedByFeed, strikes } from "./explain-queries.ts";
import { feedNamesByNo, type ListingRow, listingOf, relatedListings } from "./listings.ts";
import type { AdminParts } from "./parts.ts";
import { explainPrune } from "./prune-text.ts";
import { storedEvidence } from "./stored-evidence.ts";
import { shownSightings } from "./stored-sightings.ts";

interface Known {
  readonly prefix: Prefix;
  /** In force, on deny lists, around or equal. */
  readonly denied: readonly Listing[];
  /** Something smaller in it is on a deny list. */
  readonly isPartlyDenied: boolean;
  readonly pardons: readonly StoredAct[];
  readonly allowed: readonly StoredAct[];
  readonly bans: readonly StoredAct[];
  readonly feeds: readonly NamedByFeed[];
  /** Why it can never be listed. */
  readonly protection: string | undefined;
  readonly sightings: number;
  /** The date on which the policy ends it, in words. */
  readonly prunedAt: string | undefined;
}

type Judgement = Pick<ExplainResponse, "state" | "verdict" | "waysOff">;

const MAX_INSIDE = 100;
const HIT_DAYS = 30;
const V6_OFFENDER_LENGTH = 64;

/** What it is answered from. */
export type ExplainParts = Pick<AdminParts, "store" | "ledger" | "policy">;

export async function explain(parts: ExplainParts, request: ExplainRequest): Promise<ExplainResponse> {
  const { sql } = parts.store;
  const prefix = parsePrefix(request.prefix);
  const around = networksAround(prefix);
  const offenders = offendersOf(prefix);
  const nowMs = parts.ledger.ledgerTimeMs();
  const now = secondsFromMs(nowMs);
  const heads = new Map(parts.ledger.lists().map((head) => [head.list.list, head.list]));
  const names = feedNamesByNo(sql);
  const stored = storedEvidence(sql, offenders, unixSeconds(now - parts.policy().retentionSeconds));
  const rowsInForce = relatedListings(sql, prefix, around, MAX_INSIDE).then((rows) => rows.filter(isInForce));
  const naming = feedsNaming(sql, prefix, around);
  const allowedActs = activeActs(sql, "allowed", prefix, "overlapping");
  const judged = Promise.all([stored, names, rowsInForce, naming, allowedActs]).then(
    ([sightings, feedNames, related, feedEntries, acts]) => {
      const denied = related.filter(isDeniedAround).map(named(feedNames));
      const alsoListed = alsoListedBy(prefix, denied, feedEntries, around);
      const packs = new Map(acts.map(({ actNo, pack }) => [actNo, pack]));
      return explainJudgement(parts, { prefix, offenders, sightings, feedNames, alsoListed, packs }, now);
    },
  );
  // Each is one question to the database; together they take as long as the longest.
  const [rows, sighted, prune, hits, pardons, allowed, bans, feeds, protection, struck, evidence] = await Promise.all([
    rowsInForce,
    shownSightings(sql, offenders),
    explainPrune(parts, prefix, now),
    hitsOf(sql, around, HIT_DAYS),
    activeActs(sql, "pardon", prefix, "overlapping"),
    allowedActs,
    activeActs(sql, "ban", prefix, "overlapping"),
    naming,
    protectionOf(parts, prefix),
    strikes(sql, offenders),
    judged,
  ]);
  const feedNames = await names;
  const known: Known = {
    prefix,
    denied: rows.filter(isDeniedAround).map(named(feedNames)),
    isPartlyDenied: rows.some((row) => isDenied(row) && !around.includes(row.prefix)),
    pardons,
    allowed,
    bans,
    feeds,
    protection,
    sightings: sighted.total,
    prunedAt: prune.wayOff,
  };
  return {
    prefix,
    ...judge(known),
    listings: rows.map(named(feedNames)),
    sightings: [...sighted.shown],
    strikes: struck,
    bans: known.bans.map(actMessage),
    pardons: known.pardons.map(actMessage),
    allowed: known.allowed.map(actMessage),
    feeds: known.feeds.map(feedText),
    sightingsTotal: sighted.total,
    agents: sighted.agents,
    packets: hits.packets,
    lastHitAtMs: hits.lastAtMs,
    prune: prune.text,
    evidence,
    policyNo: parts.policy().policyNo,
  };

  function isInForce(row: ListingRow): boolean {
    return row.untilMs === 0 || !isExpired(secondsFromMs(row.untilMs), now);
  }

  function isDenied({ list }: ListingRow): boolean {
    return heads.get(list)?.effect === "deny";
  }

  function isDeniedAround(row: ListingRow): boolean {
    return isDenied(row) && around.includes(row.prefix);
  }

  function named(feedNames: ReadonlyMap<string, string>): (row: ListingRow) => Listing {
    return (row) => listingOf(row, heads.get(row.list)?.name ?? String(row.list), feedNames);
  }
}

/** By what it would be dropped but for what lets it through: listings around it, and feeds, which list without `decide`. */
function alsoListedBy(
  prefix: Prefix,
  denied: readonly Listing[],
  feeds: readonly NamedByFeed[],
  around: readonly Prefix[],
): string[] {
  const wider = denied.filter((listing) => listing.prefix !== prefix);
  const enforced = feeds.filter((feed) => feed.mode === "enforce" && around.includes(feed.prefix));
  return [
    ...wider.map((listing) => `on ${listing.list} with ${listing.prefix}`),
    ...new Set(enforced.map(({ name }) => `by feed ${name}`)),
  ];
}

function feedText({ name, prefix, confidence, mode }: NamedByFeed): string {
  return `${name}: ${prefix}, confidence ${confidence}${mode === "enforce" ? "" : ` (${mode})`}`;
}

/** In the order of strength: protected, allowed, pardoned, listed. */
function judge(known: Known): Judgement {
  const { prefix, protection, denied } = known;
  if (protection !== undefined)
    return { state: "protected", verdict: `${prefix} is never listed: ${protection}`, waysOff: [] };
  const allowed = known.allowed.filter((act) => covers(act, prefix));
  const pardons = known.pardons.filter((act) => covers(act, prefix));
  if (allowed.length + pardons.length > 0) return letThrough(prefix, allowed, pardons);
  if (denied.length === 0) return { state: "not-listed", verdict: notListedText(known), waysOff: [] };
  return { state: "listed", verdict: listedText(prefix, denied), waysOff: waysOff(known) };
}

/** Each of them alone lets it through, so one way off ends them all. */
function letThrough(prefix: Prefix, allowed: readonly StoredAct[], pardons: readonly StoredAct[]): Judgement {
  const own = allowed.filter(({ pack }) => pack === undefined);
  const packed = allowed.filter(({ pack }) => pack !== undefined);
  const because = [
    ...own.map((act) => `${act.prefix} is on the allowlist ${untilText(act.until)}${byWhom(act)}`),
    ...packed.map(({ prefix: by, pack, reason }) => `${by} is in never-ban pack ${pack} (${reason})`),
    ...pardons.map((act) => `${act.prefix} is pardoned ${untilText(act.until)}${byWhom(act)}`),
  ];
  const ends = [
    ...own.map((act) => `fleetban allowlist remove ${act.actNo}`),
    ...pardons.map((act) => `fleetban pardons remove ${act.actNo}`),
  ];
  const names = [...new Set(packed.map(({ pack }) => pack))];
  const unpacked = names.map((name) => `take ${name} out of \`packs\` in the policy`);
  return {
    state: allowed.length > 0 ? "allowed" : "pardoned",
    verdict: `${prefix} is let through: ${because.join("; and ")}`,
    waysOff: [[...(ends.length === 0 ? [] : [ends.join(" && ")]), ...unpacked].join("; and ")],
  };
}

function covers(act: StoredAct, prefix: Prefix): boolean {
  return networksAround(prefix).includes(act.prefix);
}

function byWhom({ reason, author }: StoredAct): string {
  return `, by ${author}${reason === "" ? "" : `: ${reason}`}`;
}

function listedText(prefix: Prefix, denied: readonly Listing[]): string {
  const parts = denied.map(({ list, prefix: listed, untilMs, reasons }) => {
    const by = listed === prefix ? "" : ` with ${listed}`;
    return `on ${list}${by} ${momentText(untilMs)} (${[...new Set(reasons)].join(", ")})`;
  });
  return `${prefix} is listed ${parts.join("; ")}`;
}

function notListedText({ prefix, sightings, feeds, isPartlyDenied }: Known): string {
  const seen = sightings === 0 ? "no agent has sighted it" : "what agents saw of it does not list it, or no longer";
  const named = feeds.length === 0 ? " and no feed names it" : ", and what feeds say of it is not enforced";
  return `${prefix} is not listed: ${seen}${named}${isPartlyDenied ? "; something inside it is listed" : ""}`;
}

function waysOff({ prefix, denied, bans, prunedAt }: Known): string[] {
  const ends = denied.map(({ untilMs }) => untilMs);
  const last = ends.includes(0) ? 0 : Math.max(...ends);
  const byBansAlone = denied.every(({ reasons }) => reasons.every((reason) => reason === "ban"));
  const endBans = bans.filter((ban) => covers(ban, prefix)).map((ban) => `fleetban bans remove ${ban.actNo}`);
  return [
    ...(byBansAlone && endBans.length > 0 ? [endBans.join(" && ")] : []), // else what is left would list it on
    `fleetban unban ${prefix}`,
    `fleetban allow ${prefix}`,
    ...(prunedAt === undefined ? [] : [prunedAt]),
    ...(last === 0 ? [] : [`by itself ${momentText(last).replace("until", "at")}, if nothing prolongs it`]),
  ];
}

function momentText(untilMs: number): string {
  return untilText(untilMs === 0 ? secondsFromMs(0) : secondsFromMs(untilMs));
}

async function protectionOf(parts: ExplainParts, prefix: Prefix): Promise<string | undefined> {
  const special = specialPurposeOf(prefix);
  if (special !== undefined) return `it is in ${special.range}, ${special.name}`;
  const own = parts.ledger.protectedAddresses().find(({ address }) => address === prefix);
  if (own === undefined) return undefined;
  const names = await agentNames(parts.store.sql, [own.agentNo]);
  return `it is an address of ${own.agentNo === 0 ? "a coordinator" : `agent ${names.get(own.agentNo) ?? own.agentNo}`}`;
}

/** Itself and every network around it: 33 or 129 equalities on a key. */
function networksAround(prefix: Prefix): readonly Prefix[] {
  const networks = [prefix];
  for (let length = lengthOf(prefix) - 1; length >= 0; length -= 1) networks.push(widen(prefix, length));
  return networks;
}

/** The policy counts an IPv6 address under its /64. */
function offendersOf(prefix: Prefix): readonly Prefix[] {
  const isV6Address = prefix.includes(":") && isSingle(prefix);
  return isV6Address ? [prefix, widen(prefix, V6_OFFENDER_LENGTH)] : [prefix];
}
