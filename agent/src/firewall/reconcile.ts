/**
 * Keeps the kernel in agreement with the mirror without anyone asking (invariant 3).
 *
 * Cheap looks, one a second: set and rule are there, and as many entries as believed. A set that differs is read back,
 * whole where it has more; one that was emptied is filled anew at once, one that is gone is made anew. Each is read in full now and then as well,
 * one at a time. The headers take a twentieth of the time at most: the kernel counts entries one by one.
 */
import { createBell } from "@fleetban/kit/bell";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Backend, SetHeader } from "./backend.ts";
import type { Drift } from "./drift.ts";
import type { EntryTable } from "./entry-table.ts";
import { createExclusive, type Exclusive } from "./exclusive.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Difference, ReadBack } from "./read-back.ts";
import type { SetRegistry } from "./set-registry.ts";

export interface ReconcileTimes {
  readonly checkMs: number;
  /** Each set in full. */
  readonly readBackMs: number;
}

export const DEFAULT_RECONCILE: ReconcileTimes = { checkMs: 1_000, readBackMs: 3_600_000 };

export interface ReconcileParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Log;
  readonly sets: SetRegistry;
  readonly exclusive: Exclusive;
  readonly readBack: ReadBack;
  readonly drift: Drift;
  readonly ledgerNowMs: () => number;
  /** Wishes what is missing and what is foreign. */
  readonly repair: (set: KernelSet, difference: Difference) => void;
  /** Wishes all that the set is to hold. */
  readonly refill: (set: KernelSet) => void;
  /** Its timeout ran out: as it should, or because nobody renewed it (a machine that stood still). */
  readonly onForgotten: (set: KernelSet, prefix: Prefix) => void;
  /** Makes the set again. */
  readonly remake: (set: KernelSet) => Promise<void>;
  /** A rule is to name it. */
  readonly isRuled: (set: KernelSet) => boolean;
  readonly checkRules: (areSuspect: boolean) => Promise<void>;
}

export interface Reconcile {
  /** The next look is now. */
  soon(): void;
  /** Reads the set back now and repairs it; what is found counts as drift. Gives what was read, before the repair. */
  readNow(set: KernelSet): Promise<EntryTable>;
  check(): Promise<void>;
  run(times: ReconcileTimes, signal: AbortSignal): Promise<never>;
}

const SHARE_OF_TIME = 20;
const LONGEST_PAUSE_MS = 5_000;
const EDGE_SECONDS = 3;
/** Entries this long over their end are forgotten. */
const FORGOTTEN_AFTER_SECONDS = 5;
const MAX_WAIT_MS = 30_000;
const NAMED = 8;

export function createReconcile(parts: ReconcileParts): Reconcile {
  const { backend, clock, log, sets, drift } = parts;
  const readAtMs = new Map<KernelSet, number>();
  const wanted = createBell(clock);
  let failures = 0;
  let headersMs = 0;

  const nowSeconds = () => clock.monotonicMs() / 1_000;
  const oneReading = createExclusive();

  async function readNow(set: KernelSet, hasForeign = false): Promise<EntryTable> {
    set.isSuspect = false; // a batch that fails from here on makes it suspect again
    const difference = await oneReading(() => parts.readBack.compare(set, hasForeign));
    const found = set.entries.clone();
    readAtMs.set(set, clock.monotonicMs());
    set.checkedAtMs = parts.ledgerNowMs();
    const { missing, foreign } = difference;
    if (missing.length + foreign.length > 0) reportAndRepair(set, difference);
    return found;
  }

  function reportAndRepair(set: KernelSet, difference: Difference): void {
    const { missing, foreign } = difference;
    drift.entries += missing.length + foreign.length;
    log.warn("firewall.drift_found", {
      set: set.name,
      missing: missing.length,
      foreign: foreign.length,
      firstMissing: missing.slice(0, NAMED),
      firstForeign: foreign.slice(0, NAMED),
    });
    parts.repair(set, difference);
  }

  async function remakeGone(set: KernelSet): Promise<void> {
    drift.sets += 1;
    drift.entries += set.entries.size;
    log.warn("firewall.set_gone", { set: set.name, entries: set.entries.size });
    set.isPresent = false;
    set.entries = set.entries.blank();
    await parts.exclusive(() => parts.remake(set));
    parts.refill(set);
  }

  function refillEmptied(set: KernelSet): void {
    drift.sets += 1;
    drift.entries += set.entries.size;
    log.warn("firewall.set_emptied", { set: set.name, entries: set.entries.size });
    set.entries = set.entries.blank();
    parts.refill(set);
  }

  /** As many as believed, give or take those whose timeouts are just running out? */
  function compareCount(set: KernelSet, header: SetHeader): "same" | "fewer" | "more" {
    const now = nowSeconds();
    const surely = set.entries.countAfter(now + EDGE_SECONDS);
    const perhaps = set.entries.countAfter(now - EDGE_SECONDS);
    if (perhaps < set.entries.size) {
      for (const prefix of set.entries.forgetBefore(now - FORGOTTEN_AFTER_SECONDS)) parts.onForgotten(set, prefix);
    }
    if (header.entries === undefined) return "same"; // what differs shows when the set is read
    if (header.entries > perhaps) return "more";
    return header.entries < surely ? "fewer" : "same";
  }

  /** What to do about each set, judged in one go with the headers: no batch is under way. */
  async function look(): Promise<{ readonly acts: (() => unknown)[]; readonly areRulesSuspect: boolean }> {
    return await parts.exclusive(async () => {
      const begunMs = clock.monotonicMs();
      const headers = new Map((await backend.headers()).map((header) => [header.name, header]));
      headersMs = clock.monotonicMs() - begunMs;
      const acts: (() => unknown)[] = [];
      let areRulesSuspect = false;
      for (const set of sets.all()) {
        if (!set.isPresent && headers.get(set.name) === undefined) continue; // not made yet
        const header = headers.get(set.name);
        if (header === undefined) {
          acts.push(() => remakeGone(set));
          areRulesSuspect = true;
          continue;
        }
        set.maxEntries = header.maxEntries;
        areRulesSuspect ||= header.references === 0 && parts.isRuled(set);
        if (set.touched !== undefined || !set.isPresent) continue; // being read, or being made
        const count = compareCount(set, header);
        if (count === "fewer" && header.entries === 0) acts.push(() => refillEmptied(set));
        else if (count !== "same" || set.isSuspect) acts.push(() => readNow(set, count === "more"));
      }
      return { acts, areRulesSuspect };
    });
  }

  async function check(): Promise<void> {
    const { acts, areRulesSuspect } = await look();
    for (const act of acts) await act();
    await parts.checkRules(areRulesSuspect);
  }

  /** The one whose last full reading is longest ago, if that is long enough. */
  function dueForReading(readBackMs: number): KernelSet | undefined {
    const present = sets.all().filter((set) => set.isPresent && set.touched === undefined);
    for (const set of present) if (!readAtMs.has(set)) readAtMs.set(set, clock.monotonicMs());
    const due = present.filter((set) => clock.monotonicMs() - (readAtMs.get(set) ?? 0) >= readBackMs);
    return due.sort((a, b) => (readAtMs.get(a) ?? 0) - (readAtMs.get(b) ?? 0))[0];
  }

  async function attempt(readBackMs: number): Promise<void> {
    try {
      await check();
      const due = dueForReading(readBackMs);
      if (due !== undefined) await readNow(due);
      if (failures > 0) log.info("firewall.reconcile_recovered", { failures });
      failures = 0;
    } catch (error) {
      if (failures === 0) log.error("firewall.reconcile_failed", { error });
      failures += 1;
    }
  }

  function pauseMs(checkMs: number): number {
    if (failures > 0) return Math.min(MAX_WAIT_MS, checkMs * 2 ** Math.min(failures, 5));
    return Math.max(checkMs, Math.min(headersMs * SHARE_OF_TIME, LONGEST_PAUSE_MS));
  }

  return {
    readNow,
    check,
    soon: wanted.ring,
    async run({ checkMs, readBackMs }, signal) {
      for (;;) {
        signal.throwIfAborted();
        const heard = wanted.rings;
        await attempt(readBackMs);
        await wanted.wait(heard, pauseMs(checkMs), signal);
      }
    },
  };
}
