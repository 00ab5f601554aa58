/**
 * One set as a kernel would keep it, in memory: timeouts run out by the clock, a match is by the longest prefix, and
 * what the kernel refuses is refused.
 */
import { familyOf, isSingle, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { KernelEntry, RefusalCode, SetSpec } from "../backend.ts";

/** The kernel's own, 2^31 - 1 ms; it clamps what is longer. */
const MAX_TIMEOUT_SECONDS = 2_147_483;

export interface MemorySet {
  readonly spec: SetSpec;
  /** undefined = done. */
  add(prefix: Prefix, timeoutSeconds: number): { readonly code: RefusalCode; readonly detail: string } | undefined;
  remove(prefix: Prefix): void;
  matches(prefix: Prefix): boolean;
  count(): number;
  entries(): readonly KernelEntry[];
}

export function createMemorySet(spec: SetSpec, nowMs: () => number): MemorySet {
  /** By prefix the moment at which it ends, 0 = never. */
  const endMsByPrefix = new Map<Prefix, number>();

  const isInForce = (endMs: number | undefined) => endMs !== undefined && (endMs === 0 || endMs > nowMs());
  const dropExpired = () => {
    for (const [prefix, endMs] of endMsByPrefix) if (!isInForce(endMs)) endMsByPrefix.delete(prefix);
  };
  const isFull = () => {
    if (endMsByPrefix.size < spec.maxEntries) return false;
    dropExpired();
    return endMsByPrefix.size >= spec.maxEntries;
  };
  return {
    spec,
    add(prefix, timeoutSeconds) {
      if (familyOf(prefix) !== spec.family)
        return { code: "kernel-refused", detail: `not an IPv${spec.family} address` };
      if (lengthOf(prefix) === 0) return { code: "kernel-refused", detail: "prefix length out of range" };
      if (!endMsByPrefix.has(prefix) && isFull()) return { code: "set-full", detail: "the set is full" };
      const seconds = Math.min(timeoutSeconds, MAX_TIMEOUT_SECONDS);
      endMsByPrefix.set(prefix, seconds === 0 ? 0 : nowMs() + seconds * 1000);
      return undefined;
    },
    remove: (prefix) => void endMsByPrefix.delete(prefix),
    matches(prefix) {
      if (!isSingle(prefix)) return isInForce(endMsByPrefix.get(prefix)); // as the kernel: a network is looked up as it is
      for (let length = lengthOf(prefix); length > 0; length -= 1) {
        if (isInForce(endMsByPrefix.get(widen(prefix, length)))) return true;
      }
      return false;
    },
    count() {
      dropExpired();
      return endMsByPrefix.size;
    },
    entries() {
      dropExpired();
      const leftOf = (endMs: number) => (endMs === 0 ? 0 : Math.ceil((endMs - nowMs()) / 1000));
      return Array.from(endMsByPrefix, ([prefix, endMs]) => ({
        prefix,
        timeoutSeconds: leftOf(endMs),
        packets: 0,
        bytes: 0,
      }));
    },
  };
}
