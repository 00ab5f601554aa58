/** A set's members with the moment at which each ends, and the prefix lengths among them. Routes have neither, so we keep them. */
import { type Family, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { KernelEntry } from "../backend.ts";

export interface TimedSet {
  readonly family: Family;
  readonly maxEntries: number;
  readonly size: number;
  has(prefix: Prefix): boolean;
  /** Unix seconds; 0 = it has no end; undefined = not in it. */
  endOf(prefix: Prefix): number | undefined;
  put(prefix: Prefix, end: number): void;
  remove(prefix: Prefix): void;
  prefixes(): Iterable<Prefix>;
  /** A member that is or contains `prefix`, whichever. */
  coverOf(prefix: Prefix): Prefix | undefined;
  /** As the kernel would tell them. */
  entries(now: number): readonly KernelEntry[];
}

export function createTimedSet(family: Family, maxEntries: number): TimedSet {
  const endByPrefix = new Map<Prefix, number>();
  const countByLength = new Map<number, number>();
  const count = (prefix: Prefix, by: 1 | -1) => {
    const length = lengthOf(prefix);
    const left = (countByLength.get(length) ?? 0) + by;
    if (left === 0) countByLength.delete(length);
    else countByLength.set(length, left);
  };
  return {
    family,
    maxEntries,
    get size() {
      return endByPrefix.size;
    },
    has: (prefix) => endByPrefix.has(prefix),
    endOf: (prefix) => endByPrefix.get(prefix),
    put(prefix, end) {
      if (!endByPrefix.has(prefix)) count(prefix, 1);
      endByPrefix.set(prefix, end);
    },
    remove(prefix) {
      if (endByPrefix.delete(prefix)) count(prefix, -1);
    },
    prefixes: () => endByPrefix.keys(),
    coverOf(prefix) {
      const own = lengthOf(prefix);
      for (const length of countByLength.keys()) {
        if (length > own) continue;
        const cover = length === own ? prefix : widen(prefix, length);
        if (endByPrefix.has(cover)) return cover;
      }
      return undefined;
    },
    entries: (now) =>
      Array.from(endByPrefix, ([prefix, end]) => ({
        prefix,
        timeoutSeconds: end === 0 ? 0 : Math.max(1, Math.ceil(end - now)),
        packets: 0,
        bytes: 0,
      })),
  };
}
