/**
 * One ban as the sources have told it, and which of their words mean the same one.
 *
 * fail2ban's action gives the time of the last failure, its log the time of the ban, which lies after it by as long as
 * fail2ban took; tools on the socket give their own. So a source knows its own bans again by their time, and the two
 * sides of fail2ban meet where the log's time follows the action's.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Source } from "@fleetban/proto/model/sighting";
import type { SeenBan } from "./seen.ts";

export interface KnownBan {
  readonly address: Prefix;
  readonly jail: string;
  /** As it was told: its act's time. */
  readonly toldAtMs: number;
  /** The ban's time in the words of each source that has told it. */
  readonly timesMs: Readonly<Partial<Record<Clockwork, number>>>;
  /** The longest told; -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  readonly ended: { readonly atMs: number; readonly by: Clockwork } | undefined;
}

/** Sources that share one notion of a ban's time. */
export type Clockwork = "action" | "log" | "socket";

/** A restored ban's time is rounded to the second. */
const SAME_MS: Readonly<Record<Clockwork, number>> = { action: 1_500, log: 1_000, socket: 2_000 };
/** How long fail2ban may take from the last failure to the ban: old lines of a log it has just opened. */
const LAG_MAX_MS = 3_600_000;
/** Two sources' moments of one end. */
const SAME_END_MS = 3_000;

export function clockworkOf(source: Source): Clockwork {
  return source === "fail2ban" || source === "import" ? "action" : source;
}

/** Infinity when it is for ever; its beginning when its time is unknown. */
export function endMs(ban: Pick<KnownBan, "banSeconds" | "toldAtMs">): number {
  return ban.banSeconds < 0 ? Number.POSITIVE_INFINITY : ban.toldAtMs + ban.banSeconds * 1_000;
}

export function isOver(ban: KnownBan, nowMs: number): boolean {
  return ban.ended !== undefined || (ban.banSeconds !== 0 && endMs(ban) <= nowMs);
}

/** The known ban that `seen` tells once more, if there is one; `bans` are of its address and jail, oldest first. */
export function sameBan(bans: readonly KnownBan[], seen: SeenBan): KnownBan | undefined {
  if (seen.kind === "restored" || seen.bannedAtMs === undefined) {
    return bans.findLast((ban) => ban.ended === undefined) ?? bans.findLast((ban) => isSame(ban, seen));
  }
  return bans.findLast((ban) => isSame(ban, seen));
}

/**
 * The ban that an end speaks of, ended already or not. A log says no more than when; it may be read when the address is
 * banned anew, so it is the first ban that was not over before.
 */
export function endedBan(bans: readonly KnownBan[], end: SeenBan): KnownBan | undefined {
  if (end.bannedAtMs !== undefined) return sameBan(bans, end);
  return bans.find((ban) => ban.toldAtMs <= end.atMs && !wasEndedBefore(ban, end));
}

function wasEndedBefore({ ended }: KnownBan, { source, atMs }: SeenBan): boolean {
  if (ended === undefined) return false;
  return ended.by === clockworkOf(source) ? ended.atMs !== atMs : ended.atMs < atMs - SAME_END_MS;
}

function isSame(ban: KnownBan, seen: SeenBan): boolean {
  if (seen.bannedAtMs === undefined) return false;
  const own = clockworkOf(seen.source);
  const known = ban.timesMs[own];
  if (known !== undefined) return isSameTime(ban, known, seen.bannedAtMs, SAME_MS[own]);
  if (own === "socket" || ban.timesMs.socket !== undefined) {
    return isSameTime(ban, ban.toldAtMs, seen.bannedAtMs, SAME_MS.socket);
  }
  const lagMs = own === "log" ? seen.bannedAtMs - ban.toldAtMs : ban.toldAtMs - seen.bannedAtMs;
  if (lagMs < -SAME_MS.action || lagMs > LAG_MAX_MS) return false;
  return own === "action" || wasInForce(ban, seen.bannedAtMs);
}

function wasInForce(ban: KnownBan, momentMs: number): boolean {
  return ban.ended === undefined ? !isOver(ban, momentMs) : ban.ended.atMs >= momentMs;
}

/** After an end the same moment is the old ban told again, and a moment later is a new ban. */
function isSameTime(ban: KnownBan, knownMs: number, seenMs: number, toleranceMs: number): boolean {
  if (ban.ended !== undefined && seenMs > knownMs && seenMs >= ban.ended.atMs) return false;
  return Math.abs(knownMs - seenMs) <= toleranceMs;
}
