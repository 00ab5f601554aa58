/**
 * Carries out changes of listings inside a commit that holds the ledger's row: guards them, adds the holes they need,
 * leaves out what changes nothing, and keeps digests and counts up by the difference (keeps invariants 2 and 5).
 */
import type { Change } from "@fleetban/proto/model/changes";
import {
  addDigest,
  type Digest,
  type DigestKey,
  digestOfListing,
  EMPTY_DIGEST,
  subtractDigest,
} from "@fleetban/proto/model/digest";
import type { List, Listing, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { Cover } from "../guardrails/cover.ts";
import type { Sql } from "../store/sql.ts";
import {
  type ListingKey,
  type ListMove,
  type MovedList,
  type PresentListing,
  type Put,
  saveChanges,
  saveReasons,
  selectListings,
} from "./change-queries.ts";
import { coverageOf, coveredMore } from "./coverage.ts";
import { guard } from "./guard.ts";
import { isWide, listAboveCeiling } from "./guard-cover.ts";
import { planHoles } from "./holes.ts";
import type { Cause, ListChange, Reason, WriteOptions } from "./ledger.ts";
import { causeCode } from "./sighting-codes.ts";

/** One list's part of a commit, as memory follows it. */
export interface ListCommit extends MovedList {
  readonly approved: boolean;
  readonly reportWithinMs: number;
  readonly changes: readonly Change[];
}

export interface Applied {
  readonly revision: Revision | undefined;
  readonly lists: readonly ListCommit[];
  readonly changed: number;
  readonly refused: readonly Prefix[];
}

export interface Wanted {
  readonly changes: readonly ListChange[];
  readonly cause: Cause;
  readonly options?: WriteOptions;
  /** Addresses that became the fleet's own, or ceased to be. */
  readonly touched?: readonly Prefix[];
  /** The listings that the changes are about, where the caller has read them under the lock. */
  readonly present?: readonly PresentListing[];
  /** Called when the last statement is sent. */
  readonly onLast?: () => void;
}

export interface ApplyParts {
  readonly key: DigestKey;
  readonly lists: ReadonlyMap<ListNo, List>;
  /** Part of the public addresses that a deny list may cover. */
  readonly ceiling: Cover;
}

const MAX_REASONS = 8;

export async function applyChanges(sql: Sql, parts: ApplyParts, wanted: Wanted): Promise<Applied> {
  const { key, lists } = parts;
  const { cause, options = {}, touched = [], onLast = () => undefined } = wanted;
  if (wanted.changes.length + touched.length === 0) return { revision: undefined, lists: [], changed: 0, refused: [] };
  const { changes, refused } = await guard(sql, lastOfEach(wanted.changes), lists, cause.kind);
  const holes = await planHoles(sql, changes, lists, touched);
  const all = lastOfEach([...changes, ...holes]);
  const read = holes.length === 0 && wanted.present !== undefined ? wanted.present : await selectListings(sql, all);
  const present = new Map(read.map((listing) => [keyText(listing), listing]));
  const { puts, removes, retold } = difference(all, present);
  const moves = movesOf(key, puts, removes, present);
  const above = options.approved === true ? undefined : await listAboveCeiling(sql, moves, lists, parts.ceiling);
  if (above !== undefined) {
    if (cause.kind !== "sightings") throw above.error;
    return await applyWithout(sql, parts, wanted, above.list); // what was sighted is stored, whatever becomes of the lists
  }
  if (retold.length > 0) await saveReasons(sql, retold);
  if (puts.length + removes.length === 0) return { revision: undefined, lists: [], changed: 0, refused };
  const facts = {
    cause: causeCode(cause.kind),
    causeNo: cause.no,
    approved: options.approved ?? false,
    reportWithinMs: options.reportWithinMs ?? 0,
  };
  const saving = saveChanges(sql, { puts, removes, moves }, facts);
  onLast();
  const moved = await saving;
  const commits = moved.map((list) => ({ ...list, ...facts, changes: changesOf(list.list, puts, removes) }));
  return { revision: moved[0]?.revision, lists: commits, changed: puts.length + removes.length, refused };
}

/** No network is put on the list; what is one address, or stands for one, is. */
async function applyWithout(sql: Sql, parts: ApplyParts, wanted: Wanted, list: ListNo): Promise<Applied> {
  const isLeftOut = (change: ListChange) => change.list === list && change.to !== undefined && isWide(change.prefix);
  const changes = wanted.changes.filter((change) => !isLeftOut(change));
  const applied = await applyChanges(sql, parts, { ...wanted, changes });
  return { ...applied, refused: [...applied.refused, ...wanted.changes.filter(isLeftOut).map(({ prefix }) => prefix)] };
}

function lastOfEach(changes: readonly ListChange[]): ListChange[] {
  return [...new Map(changes.map((change) => [keyText(change), change])).values()];
}

function keyText({ list, prefix }: ListingKey): string {
  return `${list} ${prefix}`;
}

function difference(wanted: readonly ListChange[], present: ReadonlyMap<string, PresentListing>) {
  const puts: Put[] = [];
  const removes: ListingKey[] = [];
  const retold: Put[] = [];
  for (const { list, prefix, to } of wanted) {
    const before = present.get(keyText({ list, prefix }));
    if (to === undefined) {
      if (before !== undefined) removes.push({ list, prefix });
      continue;
    }
    const reasons = to.reasons.slice(0, MAX_REASONS);
    const begun = to.begun ?? unixSeconds(0);
    const put: Put = { list, prefix, until: to.until, rank: to.rank, begun, reasons, isNew: before === undefined };
    if (before === undefined || !isSame(before, put)) puts.push(put);
    else if (reasonText(before.reasons) !== reasonText(reasons)) retold.push(put);
  }
  return { puts, removes, retold };
}

function isSame(a: Listing, b: Listing): boolean {
  return a.until === b.until && a.rank === b.rank && a.begun === b.begun;
}

function reasonText(reasons: readonly Reason[]): string {
  return reasons.map(({ kind, key }) => `${kind} ${key}`).join("\n");
}

function movesOf(
  key: DigestKey,
  puts: readonly Put[],
  removes: readonly ListingKey[],
  present: ReadonlyMap<string, PresentListing>,
): ListMove[] {
  const lists = new Set([...puts, ...removes].map(({ list }) => list));
  return [...lists].map((list) => {
    let digest: Digest = EMPTY_DIGEST;
    const put = puts.filter((one) => one.list === list);
    const changed = [...put, ...removes.filter((one) => one.list === list)];
    const old = changed.map((one) => present.get(keyText(one))).filter((one) => one !== undefined);
    for (const before of old) digest = subtractDigest(digest, digestOfListing(key, list, before));
    for (const after of put) digest = addDigest(digest, digestOfListing(key, list, after));
    return {
      list,
      digest,
      listings: put.length - old.length,
      covered: coveredMore(coverageOf(put), coverageOf(old)),
      changes: changed.length,
    };
  });
}

function changesOf(list: ListNo, puts: readonly Put[], removes: readonly ListingKey[]): Change[] {
  return [
    ...removes.filter((one) => one.list === list).map(({ prefix }) => ({ prefix, after: undefined })),
    ...puts
      .filter((one) => one.list === list)
      .map(({ prefix, until, rank, begun }) => ({ prefix, after: { prefix, until, rank, begun } })),
  ];
}
