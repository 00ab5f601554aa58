/**
 * A backend that also tells what its entries have matched, from the readings that somebody makes anyway (reconcile, the
 * report of a kernel digest). Otherwise it is the backend that it is given.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Backend, KernelEntry, SetName } from "../firewall/backend.ts";
import { type CountedSet, createCountedSet, type ReadingKind } from "./counted-set.ts";
import type { Counts } from "./counts.ts";

export interface CountingBackend extends Backend {
  /** When the set was last read to the end, monotonic; undefined = never. */
  countedAtMs(set: SetName): number | undefined;
}

/** Called for each entry that a reading shows with more than the one before. */
export type OnHit = (prefix: Prefix, more: Counts) => void;

/** `hearerOf` is asked when a reading begins; undefined = that set is not counted. */
export function createCountingBackend(
  backend: Backend,
  clock: Pick<Clock, "monotonicMs">,
  hearerOf: (set: SetName) => OnHit | undefined,
): CountingBackend {
  const { readEntries } = backend;
  const sets = new Map<SetName, CountedSet>();

  function setNamed(name: SetName): CountedSet {
    const known = sets.get(name);
    if (known !== undefined) return known;
    const found = createCountedSet(false);
    sets.set(name, found);
    return found;
  }

  return {
    ...backend,
    countedAtMs: (name) => sets.get(name)?.readAtMs,
    async createSet(spec) {
      const made = await backend.createSet(spec);
      if (made === "created") sets.set(spec.name, createCountedSet(true));
      return made;
    },
    async swapSets(a, b) {
      const [one, other] = [setNamed(a), setNamed(b)];
      for (const set of [one, other]) set.spoilReading();
      await backend.swapSets(a, b);
      sets.set(a, other);
      sets.set(b, one);
    },
    async destroySet(name) {
      sets.get(name)?.spoilReading();
      await backend.destroySet(name);
      sets.delete(name);
    },
    async apply(ops) {
      const refusals = await backend.apply(ops);
      const refused = new Set(refusals.map(({ op }) => op));
      for (const op of ops) if (op.kind === "remove" && !refused.has(op)) sets.get(op.set)?.removed(op.prefix);
      return refusals;
    },
    readSet: (name) => counted(name, backend.readSet(name), "whole"),
    ...(readEntries && {
      readEntries: (name, prefixes) => counted(name, readEntries(name, prefixes), "known"),
    }),
  };

  async function* counted(
    name: SetName,
    pieces: AsyncIterable<readonly KernelEntry[]>,
    what: ReadingKind,
  ): AsyncIterable<readonly KernelEntry[]> {
    const onHit = hearerOf(name);
    const reading = onHit === undefined ? undefined : setNamed(name).beginReading(what);
    let endedAtMs: number | undefined;
    try {
      for await (const piece of pieces) {
        if (reading !== undefined) {
          for (const entry of piece) {
            const more = reading.entry(entry);
            if (more.packets > 0) onHit?.(entry.prefix, more);
          }
        }
        yield piece;
      }
      endedAtMs = clock.monotonicMs();
    } finally {
      reading?.end(endedAtMs);
    }
  }
}
