/**
 * A set that is full, or soon will be, grows by replacement: a larger one is filled beside it, takes its place in one
 * atomic swap, and the old one goes (keeps invariant 4).
 *
 * Filling is a sweep in front of the bulk lane; what is applied meanwhile goes to both. Entries that found no room are
 * wished again as soon as there is some.
 */
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Backend } from "./backend.ts";
import { secondsLeftAt } from "./entry-op.ts";
import type { Exclusive } from "./exclusive.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { PlannedOp } from "./order-batch.ts";
import { replacementOf } from "./set-names.ts";
import { SWEEP_ORDER } from "./sweep.ts";

export interface Growth {
  /**
   * Makes room for so many entries. One growth a set is under way at a time; what more is asked meanwhile follows it.
   * Resolves when filling has begun.
   */
  grow(set: KernelSet, entries: number): Promise<void>;
  /** The kernel refused it for want of room. */
  full(set: KernelSet, prefix: Prefix, lane: Lane): void;
  /** The replacement took it, whether the set did or not. `endSeconds` undefined = it was removed there. */
  filled(set: KernelSet, prefix: Prefix, endSeconds: number | undefined): void;
  /** Begins before a set is full, so that a fresh ban finds room. */
  growIfNearlyFull(set: KernelSet): void;
  /** Its replacement can't be trusted: an entry did not get into it. Tried again when the set is full again. */
  abandon(set: KernelSet): void;
  /** An urgent entry waits for room. */
  isAwaited(): boolean;
}

export interface GrowthParts {
  readonly backend: Backend;
  readonly lanes: Pick<Lanes, "sweep" | "wish" | "hurry">;
  readonly exclusive: Exclusive;
  readonly log: Log;
  readonly nowSeconds: () => number;
}

/** An entry that found no room. */
interface Waiting {
  readonly lane: Lane;
  /** As the replacement holds it; undefined = it does not. */
  readonly endSeconds: number | undefined;
}

const LEAST_ROOM = 1_024;
const NEARLY_FULL = 0.9;
/** Each growth copies what is there: a list that comes piece by piece must not be copied a piece. */
const GROWS_TO = 2;

/** What a set for so many entries is made for. */
export function roomFor(entries: number): number {
  return entries + Math.max(LEAST_ROOM, Math.ceil(entries / 4));
}

export function createGrowth({ backend, lanes, exclusive, log, nowSeconds }: GrowthParts): Growth {
  const waiting = new Map<KernelSet, Map<Prefix, Waiting>>();
  /** By set what names the attempt: a sweep of one that was given up may still be running. */
  const growing = new Map<KernelSet, symbol>();
  /** Entries that room was asked for, while it is not there. */
  const asked = new Map<KernelSet, number>();

  function planFill(set: KernelSet, name: string, attempt: symbol, prefix: Prefix): PlannedOp | undefined {
    if (growing.get(set) !== attempt) return undefined; // given up
    const left = secondsLeftAt(set.entries.endOf(prefix), nowSeconds());
    if (left === undefined || left <= 0) return undefined;
    const timeoutSeconds = left === Number.POSITIVE_INFINITY ? 0 : Math.ceil(left);
    return { set, op: { kind: "add", set: name, prefix, timeoutSeconds }, isFill: true };
  }

  /** One that fails is tried again at the next entry that finds no room. */
  async function step(set: KernelSet, act: () => Promise<void>): Promise<void> {
    try {
      await exclusive(act);
    } catch (error) {
      log.error("firewall.growth_failed", { set: set.name, entries: set.entries.size, error });
      abandon(set);
      set.isSuspect = true;
    }
  }

  function abandon(set: KernelSet): void {
    set.replacement = undefined;
    growing.delete(set);
    wishWaiting(set);
  }

  function wishWaiting(set: KernelSet): void {
    for (const [prefix, { lane }] of waiting.get(set) ?? []) lanes.wish(lane, set, prefix);
    waiting.delete(set);
  }

  /** What found no room in the set, and some in what has just taken its place: nobody else put it there. */
  function believeFilled(set: KernelSet): void {
    for (const [prefix, { endSeconds }] of waiting.get(set) ?? []) {
      if (endSeconds === undefined) continue;
      set.entries.put(prefix, endSeconds);
      set.touched?.add(prefix);
    }
  }

  function begin(set: KernelSet): Promise<void> {
    const maxEntries = Math.max(roomFor(asked.get(set) ?? set.entries.size), set.maxEntries * GROWS_TO);
    const name = replacementOf(set.name);
    const attempt = Symbol(name);
    growing.set(set, attempt);
    return step(set, async () => {
      await backend.destroySet(name); // of an attempt that failed
      await backend.createSet({ name, family: set.family, maxEntries });
      set.replacement = name;
      const lane = isExempting(set) || waiting.has(set) ? "urgent" : "bulk";
      lanes.sweep({
        lane,
        order: SWEEP_ORDER.growth,
        set,
        columns: set.entries.columns(),
        holdsRevision: true,
        plan: (prefix) => planFill(set, name, attempt, prefix),
        finish: () => step(set, () => replace(set, name, attempt, maxEntries)),
      });
    });
  }

  async function replace(set: KernelSet, name: string, attempt: symbol, maxEntries: number): Promise<void> {
    if (growing.get(set) !== attempt) return;
    await backend.swapSets(set.name, name);
    set.replacement = undefined;
    believeFilled(set);
    log.info("firewall.set_grown", { set: set.name, from: set.maxEntries, to: maxEntries, entries: set.entries.size });
    set.maxEntries = maxEntries;
    growing.delete(set);
    wishWaiting(set);
    await backend.destroySet(name);
    const entries = asked.get(set) ?? 0;
    if (entries <= maxEntries) asked.delete(set);
    else void growth.grow(set, entries); // its steps take their turn after this one
  }

  // Nobody waits for the growth that the kernel or the pump asks for: a step never rejects.
  const growth: Growth = {
    abandon,
    async grow(set, entries) {
      asked.set(set, Math.max(entries, asked.get(set) ?? 0));
      if (!growing.has(set) && set.isPresent) await begin(set);
    },
    full(set, prefix, lane) {
      const ofSet = waiting.get(set) ?? new Map<Prefix, Waiting>();
      const before = ofSet.get(prefix);
      ofSet.set(prefix, { lane: before?.lane === "urgent" ? "urgent" : lane, endSeconds: before?.endSeconds });
      waiting.set(set, ofSet);
      if (lane === "urgent" && growing.has(set)) lanes.hurry(set);
      void growth.grow(set, Math.max(set.entries.size, set.maxEntries));
    },
    filled(set, prefix, endSeconds) {
      const ofSet = waiting.get(set);
      const before = ofSet?.get(prefix);
      if (before !== undefined) ofSet?.set(prefix, { ...before, endSeconds });
    },
    growIfNearlyFull(set) {
      if (set.entries.size > set.maxEntries * NEARLY_FULL) void growth.grow(set, set.entries.size);
    },
    isAwaited: () => waiting.values().some((keys) => keys.values().some(({ lane }) => lane === "urgent")),
  };
  return growth;
}
