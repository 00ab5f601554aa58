/** All sets that are ours to keep, by pair. */
import type { DigestKey } from "@fleetban/proto/model/digest";
import type { ListNo } from "@fleetban/proto/model/listing";
import { type Family, familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { FAMILIES } from "@fleetban/proto/model/sorted-columns";
import { createEntryTable, type EntryTable } from "./entry-table.ts";
import type { KernelSet, Owner } from "./kernel-set.ts";
import { LOCAL_SETS, OWN_SETS, PROBE_SETS, type SetPair } from "./set-names.ts";

export type KernelPair = Readonly<Record<Family, KernelSet>>;

export interface SetRegistry {
  readonly own: KernelPair;
  readonly local: KernelPair;
  readonly probe: KernelPair;
  /** The probe's list shares the probe's pair. `secret` = the blocklist's, where there is one. */
  addList(pair: SetPair, owner: Owner, secret?: DigestKey): KernelPair;
  drop(pair: KernelPair): void;
  ofList(list: ListNo): KernelPair | undefined;
  /** Those that exempt first. */
  all(): readonly KernelSet[];
  newTable(family: Family): EntryTable;
}

export function createSetRegistry(secret: DigestKey): SetRegistry {
  const make = (pair: SetPair, owner: Owner, of = secret): KernelPair => ({
    4: kernelSet(pair[4], 4, owner, createEntryTable(4, of)),
    6: kernelSet(pair[6], 6, owner, createEntryTable(6, of)),
  });
  const own = make(OWN_SETS, { kind: "own" });
  const local = make(LOCAL_SETS, { kind: "local" });
  const probe = make(PROBE_SETS, { kind: "probe" });
  const pairs = [own, local, probe];
  return {
    own,
    local,
    probe,
    newTable: (family) => createEntryTable(family, secret),
    addList(pair, owner, of) {
      if (pair[4] === PROBE_SETS[4]) {
        for (const set of setsOf(probe)) set.owner = owner;
        return probe;
      }
      const made = make(pair, owner, of);
      if (owner.kind === "list" && owner.effect === "exempt") pairs.unshift(made);
      else pairs.push(made);
      return made;
    },
    drop(pair) {
      const index = pairs.indexOf(pair);
      if (pair === probe) for (const set of setsOf(probe)) set.owner = { kind: "probe" };
      else if (index >= 0) pairs.splice(index, 1);
    },
    ofList: (list) => pairs.find((pair) => isOfList(pair[4].owner, list)),
    all: () => pairs.flatMap(setsOf),
  };
}

export function setsOf(pair: KernelPair): readonly KernelSet[] {
  return FAMILIES.map((family) => pair[family]);
}

export function setFor(pair: KernelPair, prefix: Prefix): KernelSet {
  return pair[familyOf(prefix)];
}

function isOfList(owner: Owner, list: ListNo): boolean {
  return (owner.kind === "list" || owner.kind === "withdrawn") && owner.list === list;
}

function kernelSet(name: string, family: Family, owner: Owner, entries: EntryTable): KernelSet {
  return {
    name,
    family,
    owner,
    maxEntries: 0,
    isPresent: false,
    entries,
    replacement: undefined,
    touched: undefined,
    refused: new Map(),
    isSuspect: false,
    checkedAtMs: 0,
  };
}
