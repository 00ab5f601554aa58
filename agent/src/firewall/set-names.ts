/** Names of our kernel sets: a pair (v4, v6) a list, and three pairs that are the machine's own affair. */
import type { List } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix";
import type { SetName } from "./backend.ts";

export type SetPair = Readonly<Record<Family, SetName>>;

export const OWN_SETS = pairOf("own");
export const LOCAL_SETS = pairOf("local");
export const PROBE_SETS = pairOf("probe");

/** Not for lists: these pairs have other owners. The probe's list shares the probe's pair. */
const TAKEN: ReadonlySet<string> = new Set(["own", "local"]);
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/; // 29 characters are all that ipset has room for, "-n" behind it

/** A list whose name can't be part of a set's goes by its number. */
export function listSets({ list, name }: Pick<List, "list" | "name">): SetPair {
  const fits = NAME.test(name) && !TAKEN.has(name) && !/^list\d+$/.test(name);
  return pairOf(fits ? name : `list${list}`);
}

/** The set that is being filled to take the other's place. */
export function replacementOf(name: SetName): SetName {
  return `${name}-n`;
}

export function isReplacement(name: SetName): boolean {
  return /-v[46]-n$/.test(name);
}

function pairOf(owner: string): SetPair {
  return { 4: `fleetban-${owner}-v4`, 6: `fleetban-${owner}-v6` };
}
