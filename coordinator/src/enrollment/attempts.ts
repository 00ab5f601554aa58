/**
 * Bounds how often somebody may try a token that is not good: by address, and by everybody together.
 *
 * A token has 128 bits and cannot be guessed; what is bounded is the load and the noise. Only failures count, so that
 * a whole fleet behind one address can enroll at once.
 */
import { familyOf, type Prefix, tryParsePrefix, widen } from "@fleetban/proto/model/prefix";

export interface Attempts {
  /** Whether this peer has to wait. */
  isBlocked(peerAddress: string, nowMs: number): boolean;
  failed(peerAddress: string, nowMs: number): void;
}

const WINDOW_MS = 60_000;
const MAX_FAILURES_OF_PEER = 10;
const MAX_FAILURES = 300;
/** More peers than that within a window are counted together only. */
const MAX_PEERS = 10_000;

export function createAttempts(): Attempts {
  let begunMs = 0;
  let failures = 0;
  const failuresByPeer = new Map<string, number>();

  function roll(nowMs: number): void {
    if (nowMs - begunMs < WINDOW_MS) return;
    begunMs = nowMs;
    failures = 0;
    failuresByPeer.clear();
  }

  return {
    isBlocked(peerAddress, nowMs) {
      roll(nowMs);
      return failures >= MAX_FAILURES || (failuresByPeer.get(peerOf(peerAddress)) ?? 0) >= MAX_FAILURES_OF_PEER;
    },
    failed(peerAddress, nowMs) {
      roll(nowMs);
      failures += 1;
      const peer = peerOf(peerAddress);
      if (failuresByPeer.size < MAX_PEERS) failuresByPeer.set(peer, (failuresByPeer.get(peer) ?? 0) + 1);
    },
  };
}

/** Whoever has one IPv6 address has its /64. */
function peerOf(peerAddress: string): Prefix | string {
  const prefix = tryParsePrefix(peerAddress);
  if (prefix === undefined) return peerAddress;
  return familyOf(prefix) === 6 ? widen(prefix, 64) : prefix;
}
