/**
 * What this agent has asked fail2ban to unban: its action and its log tell of it as if somebody had done it by hand.
 * Remembered for a while after the request, because the record may be read late.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Prefix } from "@fleetban/proto/model/prefix";

const REMEMBERED_MS = 60_000;

export interface AskedUnbans {
  remember(address: Prefix): void;
  has(address: Prefix): boolean;
}

export function createAskedUnbans(clock: Pick<Clock, "monotonicMs">): AskedUnbans {
  const untilMsByAddress = new Map<Prefix, number>(); // in the order of their ends

  function forgetOld(): void {
    for (const [address, untilMs] of untilMsByAddress) {
      if (untilMs > clock.monotonicMs()) return;
      untilMsByAddress.delete(address);
    }
  }

  return {
    remember(address) {
      forgetOld();
      untilMsByAddress.delete(address);
      untilMsByAddress.set(address, clock.monotonicMs() + REMEMBERED_MS);
    },
    has(address) {
      forgetOld();
      return untilMsByAddress.has(address);
    },
  };
}
