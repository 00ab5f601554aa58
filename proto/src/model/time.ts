/** Moments. Durations inside a process are milliseconds; `until` in columns and kernels is seconds. */
import type { Brand } from "@fleetban/kit/brand";

/** Of the ledger's clock. */
export type UnixSeconds = Brand<number, "UnixSeconds">;
export type UnixMs = Brand<number, "UnixMs">;

export function unixSeconds(seconds: number): UnixSeconds {
  return seconds as UnixSeconds;
}

export function unixMs(milliseconds: number): UnixMs {
  return milliseconds as UnixMs;
}

/** The second that the moment lies in. */
export function secondsFromMs(moment: number): UnixSeconds {
  return unixSeconds(Math.floor(moment / 1000));
}

export function msFromSeconds(moment: UnixSeconds): UnixMs {
  return unixMs(moment * 1000);
}
