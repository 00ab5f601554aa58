/**
 * A listing as CrowdSec's local API tells it: a "decision". The word is the protocol's, and stays in this folder.
 *
 * No bouncer is told of an end more than twenty days away: some keep entries in an ipset, whose timeouts end at 24.8 days,
 * and forget what was longer. It is told again in time (announcements.ts).
 */
import { RANK } from "@fleetban/proto/model/listing";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords, maxLength, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type ListingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { secondsLeft } from "@fleetban/proto/model/until";
import { drawOf } from "../draw.ts";

export interface Decision {
  readonly id: number;
  readonly origin: string;
  readonly type: string;
  /** `Ip` or `Range`. */
  readonly scope: string;
  readonly value: string;
  /** As Go writes one. */
  readonly duration: string;
  readonly scenario: string;
}

export const ANNOUNCED_MAX_SECONDS = 20 * 86_400;
export const TYPE = "ban";
export const ORIGIN = "fleetban";

const words = blankWords();

export function decisionAt(columns: ListingColumns, row: number, now: UnixSeconds): Decision {
  readPrefix(columns, row, words);
  const left = secondsLeft((columns.untils[row] ?? 0) as UnixSeconds, now);
  return {
    id: idOf(words),
    origin: ORIGIN,
    type: TYPE,
    scope: words.length === maxLength(words.family) ? "Ip" : "Range",
    value: textOfWords(words),
    duration: goDuration(Math.min(left, ANNOUNCED_MAX_SECONDS)),
    scenario: scenarioOf(columns.ranks[row] ?? 0),
  };
}

/** What it rests on, as far as its rank tells. */
export function scenarioOf(rank: number): string {
  if (rank === RANK.operator) return "fleetban/operator";
  if (rank === RANK.repeat) return "fleetban/repeat";
  return rank === RANK.fleet ? "fleetban/fleet" : "fleetban/feed";
}

/** `1h0m0s`, as Go's time.Duration prints itself: every unit below the largest is there. */
export function goDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}

/** The same for a prefix always; above 0. */
function idOf(prefix: PrefixWords): number {
  return drawOf(prefix) * 65_536 + ((prefix.a ^ prefix.d ^ prefix.length) & 0xffff) + 1;
}
