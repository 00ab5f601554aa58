/** A ledger's side of the story for tests: lists, their histories, and deltas between any two revisions. */
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { type DigestKey, parseDigestKey } from "@fleetban/proto/model/digest";
import {
  type Epoch,
  type List,
  type Listing,
  type ListNo,
  listNo,
  type Rank,
  type Revision,
} from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { Held } from "./held.ts";
import type { MirrorDelta } from "./mirror.ts";

export const KEY: DigestKey = parseDigestKey(Buffer.from("000102030405060708090a0b0c0d0e0f", "hex"));
export const EPOCH = "00112233445566778899aabbccddeeff" as Epoch;

export function listFixture(number: number, name: string, effect: List["effect"], changes: Partial<List> = {}): List {
  const base = {
    reach: { kind: "all-traffic" },
    leaseSeconds: 3_600,
    requires: [],
    documentationOnly: false,
  } as const;
  return { list: listNo(number), name, effect, ...base, ...changes };
}

export const EXEMPT = listFixture(1, "exempt", "exempt");
export const FLEET = listFixture(2, "fleet", "deny");
export const FEEDS = listFixture(3, "feeds", "deny");

export function listing(prefix: string, until = 0, rank = 2, begun = 0): Listing {
  return { prefix: parsePrefix(prefix), until: unixSeconds(until), rank: rank as Rank, begun: begun as UnixSeconds };
}

/** Different public addresses, the same for the same numbers. */
export function addresses(count: number, network = 1): Prefix[] {
  const text = (n: number) => `${80 + network}.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  return Array.from({ length: count }, (_, n) => parsePrefix(text(n)));
}

export function heldFixture(list: ListNo, listings: Iterable<Listing>, changes: Partial<Held> = {}): Held {
  const blocklist = new Blocklist(list, KEY);
  for (const one of listings) blocklist.put(one);
  return { blocklist, epoch: EPOCH, revision: 1 as Revision, committedAtMs: 0, isDigestProven: true, ...changes };
}

/** The delta that leads from `held` to the next revision. `held` stays as it is. */
export function deltaOnto(held: Held, remove: readonly Prefix[], put: readonly Listing[]): MirrorDelta {
  const after = held.blocklist.clone();
  for (const prefix of remove) after.remove(prefix);
  for (const one of put) after.put(one);
  return {
    list: held.blocklist.list,
    epoch: held.epoch,
    fromRevision: held.revision,
    toRevision: (held.revision + 1) as Revision,
    committedAtMs: 1_000,
    digest: after.digest,
    listings: after.size,
    remove,
    put,
  };
}
