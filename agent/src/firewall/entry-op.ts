/** Wanted minus believed, for one entry: the op that makes the kernel agree, or none. Pure. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Op } from "./backend.ts";
import { NO_TIMEOUT } from "./entry-table.ts";
import type { KernelSet } from "./kernel-set.ts";
import { differs, needsRenewal } from "./leases.ts";
import type { Wanted } from "./wanted.ts";

export function opFor(set: KernelSet, prefix: Prefix, wanted: Wanted, nowSeconds: number): Op | undefined {
  const end = set.entries.endOf(prefix);
  switch (wanted.kind) {
    case "leave":
      return undefined;
    case "absent":
      return end === undefined ? undefined : { kind: "remove", set: set.name, prefix };
    case "present": {
      const { seconds, isLease } = wanted;
      const left = secondsLeftAt(end, nowSeconds);
      if (!(isLease ? needsRenewal(seconds, left) : differs(seconds, left))) return undefined;
      return { kind: "add", set: set.name, prefix, timeoutSeconds: seconds };
    }
  }
}

/** Undefined = not there; Infinity = without timeout. */
export function secondsLeftAt(endSeconds: number | undefined, nowSeconds: number): number | undefined {
  if (endSeconds === undefined) return undefined;
  return endSeconds === NO_TIMEOUT ? Number.POSITIVE_INFINITY : endSeconds - nowSeconds;
}

/** When an entry written now ends. Rounded up: it is believed a moment longer than it is there, never shorter. */
export function endAfter(timeoutSeconds: number, nowSeconds: number): number {
  return timeoutSeconds === 0 ? NO_TIMEOUT : Math.ceil(nowSeconds + timeoutSeconds);
}
