/**
 * Keeps the addresses of people who are logged in by SSH, and for an hour after: few, the newest first.
 *
 * Whoever is cut off in the middle of their work is to get in again; a number and a time bound what a stolen login protects.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { LoginLog } from "./login-log.ts";
import { type Login, loginKey, loginsIn, openPeers, peerOfSession } from "./sessions.ts";

export interface SessionFacts {
  /** The files of /run/systemd/sessions; empty where there is no logind. */
  sessions(): Promise<readonly string[]>;
  /** /proc/net/tcp and tcp6. */
  connections(): Promise<string>;
}

export interface ProtectedSessions {
  /** Sorted. */
  look(): Promise<readonly Prefix[]>;
}

const KEPT_MS = 3_600_000;
export const SESSIONS_MAX = 32;
/** Logins that are waited for to end: one connection each. */
const LOGINS_MAX = 1_024;

export function protectSessions(
  clock: Pick<Clock, "monotonicMs">,
  facts: SessionFacts,
  log: Pick<LoginLog, "read">,
): ProtectedSessions {
  const logins = new Map<string, Login>();
  /** In the order of the last time at which they were there. */
  const seenAtMs = new Map<Prefix, number>();

  async function present(): Promise<ReadonlySet<Prefix>> {
    const sessions = await facts.sessions();
    const peers = new Set(sessions.map(peerOfSession).filter((peer) => peer !== undefined));
    for (const login of loginsIn(log.read())) logins.set(loginKey(login), login);
    for (const [key] of [...logins].slice(0, Math.max(0, logins.size - LOGINS_MAX))) logins.delete(key);
    if (logins.size === 0) return peers;
    const open = openPeers(await facts.connections());
    for (const [key, { address }] of logins) {
      if (open.has(key)) peers.add(address);
      else logins.delete(key);
    }
    return peers;
  }

  return {
    async look() {
      const nowMs = clock.monotonicMs();
      for (const peer of await present()) {
        seenAtMs.delete(peer);
        seenAtMs.set(peer, nowMs);
      }
      const known = [...seenAtMs];
      for (const [index, [peer, atMs]] of known.entries()) {
        if (index < known.length - SESSIONS_MAX || nowMs - atMs > KEPT_MS) seenAtMs.delete(peer);
      }
      return [...seenAtMs.keys()].sort();
    },
  };
}
