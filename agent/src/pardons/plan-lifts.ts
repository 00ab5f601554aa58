/**
 * Which of a source's own bans an exempt list lifts (PROTOCOL rule 12).
 *
 * A pardon meets a ban once: it lifts those that began before it, restored ones later on too. What the source bans
 * after it is that machine's own act and stands, unless the pardon was made `local` or the address is allowed.
 */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { ALLOWED, type Listing, PARDONED, PARDONED_LOCAL } from "@fleetban/proto/model/listing";
import { lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";

/** A ban in force in a source of this machine. */
export interface LocalBan {
  readonly address: Prefix;
  readonly jail: string;
  /** On the ledger's clock. */
  readonly bannedAt: UnixSeconds;
}

/** fail2ban rounds the time of a restored ban to whole seconds, and the ledger's clock is known to some milliseconds. */
const ROUNDING_SECONDS = 2;

export function planLifts(
  bans: readonly LocalBan[],
  exempt: readonly Blocklist[],
  now: UnixSeconds,
): readonly Prefix[] {
  const lifted = bans.filter((ban) => isLifted(ban, exempt, now));
  return [...new Set(lifted.map(({ address }) => address))];
}

export function isLifted(ban: LocalBan, exempt: readonly Blocklist[], now: UnixSeconds): boolean {
  return exempt.some((blocklist) => covering(blocklist, ban.address).some((listing) => lifts(listing, ban, now)));
}

function lifts({ rank, begun, until }: Listing, { bannedAt }: LocalBan, now: UnixSeconds): boolean {
  if (isExpired(until, now)) return false;
  if (rank === ALLOWED || rank === PARDONED_LOCAL) return true;
  return rank === PARDONED && bannedAt <= begun + ROUNDING_SECONDS;
}

/** Listings equal to or around the address: one look a length. */
function covering(blocklist: Blocklist, address: Prefix): readonly Listing[] {
  const lengths = Array.from({ length: lengthOf(address) + 1 }, (_, length) => length);
  return lengths.map((length) => blocklist.get(widen(address, length))).filter((listing) => listing !== undefined);
}
