/**
 * Ends what bans an address on this machine: its local entry, and its bans in fail2ban.
 *
 * It is told first, as an act of a person; what fail2ban then says of it is this agent's own doing.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { KnownBans } from "../dedupe.ts";
import type { Fail2banServer } from "../fail2ban/server.ts";
import type { SightingSink } from "../seen.ts";

export interface LiftParts {
  readonly sink: SightingSink;
  readonly known: Pick<KnownBans, "jailsOf">;
  /** Absent = this machine's fail2ban is not asked. */
  readonly server: Pick<Fail2banServer, "unban"> | undefined;
}

export interface Lifted {
  readonly jails: readonly string[];
  readonly fail2ban?: number;
}

const BY_HAND = "by-hand";

export async function liftByHand({ sink, known, server }: LiftParts, address: Prefix, nowMs: number): Promise<Lifted> {
  const jails = known.jailsOf(address, nowMs);
  const end = { kind: "end", source: "socket", address, bannedAtMs: undefined, banSeconds: 0 } as const;
  const ends = (jails.length > 0 ? jails : [BY_HAND]).map((jail) => {
    return { seen: { ...end, jail, atMs: nowMs, cause: "hand" as const }, position: undefined };
  });
  await sink.take(ends);
  const lifted = await server?.unban([address]).catch(unlessOurs);
  return lifted === undefined ? { jails } : { jails, fail2ban: lifted };
}

/** fail2ban is not running, or refuses. */
function unlessOurs(error: unknown): undefined {
  if (error instanceof FleetbanError) return undefined;
  throw error;
}
