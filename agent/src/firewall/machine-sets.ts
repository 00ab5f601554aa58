/**
 * The sets that are the machine's own affair: `own`, which no rule reaches past, and `local`, its own fresh sightings.
 *
 * A local sighting is enforced before any coordinator answers, and never against what is exempt, own or special-purpose
 * (invariant 5, PROTOCOL rule 12). A local entry ends by itself; a pardon that arrives takes it away at once.
 */
import { covers, isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { endAfter } from "./entry-op.ts";
import { type EntryTable, isAfter } from "./entry-table.ts";
import type { Lanes } from "./lanes.ts";
import { KERNEL_TIMEOUT_MAX_SECONDS } from "./leases.ts";
import { type SetRegistry, setFor, setsOf } from "./set-registry.ts";

export type LocalOutcome =
  | { readonly kind: "enforced" }
  /** `reason` for people; the sighting itself is shared all the same. */
  | { readonly kind: "refused"; readonly reason: string };

export interface MachineSets {
  /** The whole of them, as often as they are looked up. Until the first time no rule is made. */
  setOwn(prefixes: readonly Prefix[]): void;
  /** All of them are in the kernel, but for those that it refused. */
  isOwnIn(): boolean;
  isOwn(prefix: Prefix): boolean;
  /** `seconds` 0 or less: as long as local entries may live. A second ban never shortens the first. */
  addLocal(prefix: Prefix, seconds: number): LocalOutcome;
  /** Why it would not be enforced as a local entry, for people. */
  localRefusal(prefix: Prefix): string | undefined;
  removeLocal(prefix: Prefix): void;
  /** Something became exempt: local entries inside it go. */
  lift(exempt: Prefix): void;
  /** Much became exempt: whatever is covered now goes. */
  liftCovered(): void;
  localSecondsLeft(prefix: Prefix): number;
  setLocalSeconds(seconds: number): void;
  /** After the kernel's sets were read at start: local entries survive a restart. */
  adopt(): void;
  /** Wishes what both are to hold. */
  refill(): void;
}

export interface MachineParts {
  readonly sets: SetRegistry;
  readonly lanes: Pick<Lanes, "wish">;
  readonly nowSeconds: () => number;
  /** The exempt listing in force that covers the prefix. */
  readonly exemptCover: (prefix: Prefix) => Prefix | undefined;
  readonly localSeconds: number;
}

const FORGET_EVERY_SECONDS = 10;

export function createMachineSets({ sets, lanes, nowSeconds, exemptCover, ...settings }: MachineParts): MachineSets {
  let own: ReadonlySet<Prefix> | undefined;
  let forgottenAtSeconds = Number.NEGATIVE_INFINITY;
  let localMaxSeconds = clamp(settings.localSeconds);
  /** What is wanted, so that a set that was emptied can be filled again. */
  const localEnds: Record<4 | 6, EntryTable> = { 4: sets.newTable(4), 6: sets.newTable(6) };

  const endsOf = (prefix: Prefix) => localEnds[setFor(sets.local, prefix).family];

  function isIn(prefix: Prefix): boolean {
    const { entries, refused } = setFor(sets.own, prefix);
    return entries.has(prefix) || refused.has(prefix);
  }

  function refusalOf(prefix: Prefix): string | undefined {
    if (!isSingle(prefix)) return "it is not one address";
    const special = specialPurposeOf(prefix);
    if (special !== undefined) return `it is in ${special.range} (${special.name})`;
    const mine = [...(own ?? [])].find((one) => covers(one, prefix));
    if (mine !== undefined) return `it is this machine's own (${mine})`;
    const exempt = exemptCover(prefix);
    return exempt === undefined ? undefined : `it is exempt (${exempt})`;
  }

  function removeLocal(prefix: Prefix): void {
    endsOf(prefix).remove(prefix);
    lanes.wish("urgent", setFor(sets.local, prefix), prefix);
  }

  const localPrefixes = () => [...prefixesOf([localEnds[4].columns(), localEnds[6].columns()])];

  /** It looks at all of them: not with every ban. What has ended and stands there still is not wanted all the same. */
  function forgetEnded(): void {
    if (nowSeconds() < forgottenAtSeconds + FORGET_EVERY_SECONDS) return;
    forgottenAtSeconds = nowSeconds();
    for (const table of Object.values(localEnds)) table.forgetBefore(forgottenAtSeconds);
  }

  return {
    isOwnIn: () => own?.values().every(isIn) ?? false,
    setOwn(prefixes) {
      const before = own ?? new Set(setsOf(sets.own).flatMap((set) => [...prefixesOf([set.entries.columns()])]));
      own = new Set(prefixes);
      for (const prefix of own) if (!before.has(prefix)) lanes.wish("urgent", setFor(sets.own, prefix), prefix);
      for (const prefix of before) if (!own.has(prefix)) lanes.wish("urgent", setFor(sets.own, prefix), prefix);
    },
    // Before the first look-up whatever a former run knew stays.
    isOwn: (prefix) => own?.has(prefix) ?? setFor(sets.own, prefix).entries.has(prefix),
    addLocal(prefix, seconds) {
      const reason = refusalOf(prefix);
      if (reason !== undefined) return { kind: "refused", reason };
      forgetEnded();
      const wanted = seconds > 0 ? Math.min(seconds, localMaxSeconds) : localMaxSeconds;
      const end = endAfter(wanted, nowSeconds());
      if (end > (endsOf(prefix).endOf(prefix) ?? 0)) endsOf(prefix).put(prefix, end);
      lanes.wish("urgent", setFor(sets.local, prefix), prefix);
      return { kind: "enforced" };
    },
    localRefusal: refusalOf,
    removeLocal,
    lift(exempt) {
      if (isSingle(exempt)) {
        if (endsOf(exempt).has(exempt)) removeLocal(exempt);
        return;
      }
      for (const prefix of localPrefixes()) if (covers(exempt, prefix)) removeLocal(prefix);
    },
    liftCovered() {
      for (const prefix of localPrefixes()) if (exemptCover(prefix) !== undefined) removeLocal(prefix);
    },
    localSecondsLeft: (prefix) => (endsOf(prefix).endOf(prefix) ?? 0) - nowSeconds(),
    setLocalSeconds(seconds) {
      localMaxSeconds = clamp(seconds);
    },
    adopt() {
      for (const { family, entries } of setsOf(sets.local)) {
        for (const prefix of prefixesOf([entries.columns((end) => isAfter(end, nowSeconds()))])) {
          // One without timeout is not ours: it gets the longest that is allowed.
          localEnds[family].put(prefix, entries.endOf(prefix) || endAfter(localMaxSeconds, nowSeconds()));
        }
      }
    },
    refill() {
      forgetEnded();
      for (const prefix of own ?? []) lanes.wish("urgent", setFor(sets.own, prefix), prefix);
      for (const prefix of localPrefixes()) lanes.wish("urgent", setFor(sets.local, prefix), prefix);
    },
  };
}

/** 0 = no bound of its own. */
function clamp(seconds: number): number {
  return seconds > 0 ? Math.min(seconds, KERNEL_TIMEOUT_MAX_SECONDS) : KERNEL_TIMEOUT_MAX_SECONDS;
}
