/**
 * The ledger's time on this machine, and how far this machine's clock is off.
 *
 * An offset measured at each Welcome: the coordinator's answer carries the ledger's time, which is taken to be
 * that of the middle of the round trip. Before the first Welcome the offset that the last run measured holds.
 */
import type { Clock } from "@fleetban/kit/clock";

export interface LedgerClock {
  /** Unix milliseconds of the ledger's clock. */
  nowMs(): number;
  /** This machine's clock minus the ledger's, milliseconds; undefined before the first measure. */
  skewMs(): number | undefined;
  measured(helloSentMs: number, ledgerTimeMs: number): void;
}

export function createLedgerClock(clock: Clock, lastSkewMs?: number): LedgerClock {
  let skewMs = lastSkewMs;
  // The machine's clock may be set at any moment: the ledger's time runs on by the monotonic one.
  let base = { ledgerMs: clock.nowMs() - (lastSkewMs ?? 0), monotonicMs: clock.monotonicMs() };
  return {
    nowMs: () => Math.round(base.ledgerMs + (clock.monotonicMs() - base.monotonicMs)),
    skewMs: () => skewMs,
    measured(helloSentMs, ledgerTimeMs) {
      const receivedMs = clock.nowMs();
      const tripMs = Math.max(0, receivedMs - helloSentMs);
      base = { ledgerMs: ledgerTimeMs + tripMs / 2, monotonicMs: clock.monotonicMs() };
      skewMs = Math.round(receivedMs - base.ledgerMs);
    },
  };
}
