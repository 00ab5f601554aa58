/**
 * Which routes together mean "source in a deny set, and in no except set".
 *
 * The kernel takes the longest prefix that matches. So each exempt prefix is a `throw` route, which ends the lookup in our table,
 * and a denied prefix is a `blackhole`, unless an exempt one is or contains it: then it must not be there, being the longer.
 */
import { covers, isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import type { Route } from "./route-message.ts";
import type { TimedSet } from "./timed-set.ts";

export interface TaggedSet {
  readonly tag: number;
  readonly set: TimedSet;
}

/** The sets of one family that rules name. */
export interface Roles {
  readonly deny: readonly TaggedSet[];
  readonly except: readonly TaggedSet[];
}

export function wantedRoute({ deny, except }: Roles, prefix: Prefix): Route | undefined {
  const exempting = lastingOf(except, prefix);
  if (exempting !== undefined) return { kind: "throw", ...exempting };
  const denying = lastingOf(deny, prefix);
  if (denying === undefined || except.some(({ set }) => set.coverOf(prefix) !== undefined)) return undefined;
  return { kind: "blackhole", ...denying };
}

/** The prefixes whose routes depend on whether `prefix` is exempt. */
export function* decidedBy({ deny }: Roles, prefix: Prefix): Iterable<Prefix> {
  yield prefix;
  if (isSingle(prefix)) return;
  for (const { set } of deny) {
    for (const denied of set.prefixes()) if (denied !== prefix && covers(prefix, denied)) yield denied;
  }
}

/** In several sets: the one that holds it longest. */
function lastingOf(
  sets: readonly TaggedSet[],
  prefix: Prefix,
): { readonly tag: number; readonly end: number } | undefined {
  let lasting: { readonly tag: number; readonly end: number } | undefined;
  for (const { tag, set } of sets) {
    const end = set.endOf(prefix);
    if (end === undefined) continue;
    if (lasting === undefined || (lasting.end !== 0 && (end === 0 || end > lasting.end))) lasting = { tag, end };
  }
  return lasting;
}
