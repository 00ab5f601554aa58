/**
 * Deltas on the wire.
 *
 * `encodeDelta` makes the whole CoordinatorMessage, so that a delta is serialized once for all agents; the Fleet
 * service passes such a Buffer through. What is decoded still has to prove itself by its digest in the mirror.
 */
import { finish, type Slices } from "@fleetban/kit/slices";
import { type Digest, digestToBytes } from "../model/digest.ts";
import { epochToBytes } from "../model/epoch.ts";
import type { Epoch, Listing, ListNo, Revision } from "../model/listing.ts";
import type { Prefix } from "../model/prefix.ts";
import {
  emptyPrefixColumns,
  type ListingColumns,
  listingColumns,
  listingsOf,
  prefixColumns,
  prefixesOf,
} from "../model/sorted-columns.ts";
import { decodeColumnsInSlices, encodeColumns } from "./columns.ts";
import { digestField, epochField, listField, revisionField, sha256Field } from "./fields.ts";
import { Encoding } from "./gen/fleetban/v1/columns.ts";
import { CoordinatorMessage, type Delta as DeltaMessage } from "./gen/fleetban/v1/fleet.ts";
import { decodePrefixes, encodePrefixes } from "./prefixes.ts";
import { WireError } from "./wire-error.ts";

export interface Delta {
  readonly list: ListNo;
  readonly epoch: Epoch;
  readonly fromRevision: Revision;
  readonly toRevision: Revision;
  /** Of the list at `toRevision`, and how many listings it has then. */
  readonly digest: Digest;
  readonly listings: number;
  /** The ledger's clock. */
  readonly committedAtMs: number;
  /** An operator has approved what the agent's brake would refuse. */
  readonly approved: boolean;
  /** 0 = when convenient. */
  readonly reportWithinMs: number;
  /** Sorted, as are those put; carried out before them. */
  readonly remove: readonly Prefix[];
  readonly put: readonly Listing[];
  /** The same, as it was read from the wire. */
  readonly putColumns?: readonly ListingColumns[];
  /** Where `toRevision` is a kept revision. */
  readonly columnsSha256?: Uint8Array;
}

/** As texts, some 0.5 ms. */
const SLICE_CHANGES = 512;
const MAX_CHANGES = 16_777_216; // a bound for sanity: a message of gRPC's 4 MB holds no more

export function encodeDelta(delta: Delta): Buffer {
  const value: DeltaMessage = {
    list: delta.list,
    epoch: Buffer.from(epochToBytes(delta.epoch)),
    fromRevision: delta.fromRevision,
    toRevision: delta.toRevision,
    digest: Buffer.from(digestToBytes(delta.digest)),
    listings: delta.listings,
    committedAtMs: delta.committedAtMs,
    approved: delta.approved,
    reportWithinMs: delta.reportWithinMs,
    remove: delta.remove.length === 0 ? undefined : encodePrefixes(prefixColumns(delta.remove)),
    put: delta.put.length === 0 ? undefined : encodeColumns(listingColumns(delta.put)),
    encoding: Encoding.ENCODING_PLAIN,
    columnsSha256: Buffer.from(delta.columnsSha256 ?? []),
  };
  return Buffer.from(CoordinatorMessage.encode({ kind: { $case: "delta", value } }).finish());
}

export function deltaFromMessage(message: DeltaMessage): Delta {
  const { putColumns, ...delta } = finish(deltaInSlices(message));
  return delta;
}

/** How many changes are in it, by what it says itself. */
export function changesIn({ remove, put }: DeltaMessage): number {
  return [remove, put?.prefixes].reduce((sum, part) => sum + (part?.v4Count ?? 0) + (part?.v6Count ?? 0), 0);
}

/** A long one is read in slices. Throws WireError, too. */
export function* deltaInSlices(message: DeltaMessage): Slices<Delta> {
  const part = `delta of list ${message.list}`;
  if (message.encoding !== Encoding.ENCODING_PLAIN) throw new WireError(part, `unknown encoding ${message.encoding}`);
  if (message.fromRevision >= message.toRevision) {
    throw new WireError(part, `goes from revision ${message.fromRevision} back to ${message.toRevision}`);
  }
  const columnsSha256 = sha256Field(part, message.columnsSha256);
  const removed = decodePrefixes(`${part} remove`, message.remove, MAX_CHANGES, emptyPrefixColumns);
  const putColumns = yield* decodeColumnsInSlices(`${part} put`, message.put, MAX_CHANGES);
  return {
    list: listField(part, message.list),
    epoch: epochField(part, message.epoch),
    fromRevision: revisionField(message.fromRevision),
    toRevision: revisionField(message.toRevision),
    digest: digestField(part, message.digest),
    listings: message.listings,
    committedAtMs: message.committedAtMs,
    approved: message.approved,
    reportWithinMs: message.reportWithinMs,
    remove: yield* inSlices(prefixesOf(removed)),
    put: yield* inSlices(listingsOf(putColumns)),
    putColumns,
    ...(columnsSha256 === undefined ? {} : { columnsSha256 }),
  };
}

function* inSlices<Item>(items: Iterable<Item>): Slices<Item[]> {
  const taken: Item[] = [];
  for (const item of items) {
    taken.push(item);
    if (taken.length % SLICE_CHANGES === 0) yield;
  }
  return taken;
}
