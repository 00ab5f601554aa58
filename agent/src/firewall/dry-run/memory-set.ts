/**
 * One set as a kernel would keep it, in memory: timeouts run out by the clock, a match is by the longest prefix, and
 * what the kernel refuses is refused.
 */
import { familyOf, isSingle, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { KernelEntry, RefusalCode, SetSpec } from "../backend.ts";

/** The kernel's own, 2^31 - 1 ms; it clamps what is longer. */
const MAX_TIMEOUT_SECONDS = 2_147_483;

const NOTHING = { packets: 0, bytes: 0 };

export interface MemorySet {
  readonly spec: SetSpec;
  /** undefined = done. */
  add(prefix: Prefix, timeoutSeconds: number): { readonly code: RefusalCode; readonly detail: string } | undefined;
  remove(prefix: Prefix): void;
  matches(prefix: Prefix): boolean;
  /** A packet from there has matched: counted at the longest prefix. */
  count(source: Prefix, bytes: number): void;
  size(): number;
  entries(): readonly KernelEntry[];
}

export function createMemorySet(spec: SetSpec, nowMs: () => number): MemorySet {
  /** By prefix the moment at which it ends, 0 = never. */
  const endMsByPrefix = new Map<Prefix, number>();
  /** By prefix what it has matched since it was added; renewing its timeout does not begin at 0 again. */
  const countsByPrefix = new Map<Prefix, { packets: number; bytes: number }>();

  const isInForce = (endMs: number | undefined) => endMs !== undefined && (endMs === 0 || endMs > nowMs());
  const dropExpired = () => {
    for (const [prefix, endMs] of endMsByPrefix) if (!isInForce(endMs)) forget(prefix);
  };
  const forget = (prefix: Prefix) => {
    endMsByPrefix.delete(prefix);
    countsByPrefix.delete(prefix);
  };
  /** The longest prefix in force around an address; a network is looked up as it is, as the kernel does. */
  const matched = (prefix: Prefix) => {
    if (!isSingle(prefix)) return isInForce(endMsByPrefix.get(prefix)) ? prefix : undefined;
    for (let length = lengthOf(prefix); length > 0; length -= 1) {
      const around = widen(prefix, length);
      if (isInForce(endMsByPrefix.get(around))) return around;
    }
    return undefined;
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
      if (endMsByPrefix.has(prefix) && !isInForce(endMsByPrefix.get(prefix))) forget(prefix);
      if (!endMsByPrefix.has(prefix) && isFull()) return { code: "set-full", detail: "the set is full" };
      const seconds = Math.min(timeoutSeconds, MAX_TIMEOUT_SECONDS);
      endMsByPrefix.set(prefix, seconds === 0 ? 0 : nowMs() + seconds * 1000);
      return undefined;
    },
    remove: forget,
    matches: (prefix) => matched(prefix) !== undefined,
    count(source, bytes) {
      const prefix = matched(source);
      if (prefix === undefined) return;
      const before = countsByPrefix.get(prefix) ?? NOTHING;
      countsByPrefix.set(prefix, { packets: before.packets + 1, bytes: before.bytes + bytes });
    },
    size() {
      dropExpired();
      return endMsByPrefix.size;
    },
    entries() {
      dropExpired();
      const leftOf = (endMs: number) => (endMs === 0 ? 0 : Math.ceil((endMs - nowMs()) / 1000));
      return Array.from(endMsByPrefix, ([prefix, endMs]) => ({
        prefix,
        timeoutSeconds: leftOf(endMs),
        ...(countsByPrefix.get(prefix) ?? NOTHING),
      }));
    },
  };
}
