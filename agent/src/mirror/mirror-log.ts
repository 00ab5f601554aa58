/**
 * The deltas since a base, appended one record each: length, CRC-32, then what the mirror needs to carry it out again.
 *
 * A crash tears the last record at most; reading ends at the first that is not whole. Records that the base has
 * already are passed over, a gap ends the reading: the mirror is then simply older, and resumes there.
 */
import { crc32 } from "node:zlib";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { digestToBytes } from "@fleetban/proto/model/digest";
import type { Epoch, List, Listing, Rank, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type ListingColumns, listingColumns, listingsOf, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import { OPEN_ENDED } from "@fleetban/proto/model/until";
import { flatPieces, readFlat } from "./flat-columns.ts";
import type { MirrorDelta } from "./mirror.ts";
import { digestOf, headed, type SavedList, splitHeader } from "./mirror-base.ts";

type RecordHeader =
  | {
      readonly kind: "delta";
      readonly epoch: Epoch;
      readonly fromRevision: Revision;
      readonly toRevision: Revision;
      readonly committedAtMs: number;
      readonly digest: string;
      readonly listings: number;
      /** Bytes of the columns of what is removed; those of what is put follow. */
      readonly removeBytes: number;
    }
  | { readonly kind: "list"; readonly list: List };

export interface Replayed {
  readonly saved: SavedList;
  /** Nothing may be appended behind a tail that is torn. */
  readonly isWhole: boolean;
}

const FRAME_BYTES = 8;

export function deltaRecord(delta: MirrorDelta): Uint8Array {
  const { epoch, fromRevision, toRevision, committedAtMs, listings } = delta;
  const digest = Buffer.from(digestToBytes(delta.digest)).toString("hex");
  const remove = Buffer.concat([...flatPieces(listingColumns(delta.remove.map(bareListing)))]);
  const put = [...flatPieces(delta.putColumns ?? listingColumns(delta.put))];
  const removeBytes = remove.length;
  const header = { kind: "delta", epoch, fromRevision, toRevision, committedAtMs, digest, listings, removeBytes };
  return framed([...headed(header), remove, ...put]);
}

/** What is said of a list changed without a change of its listings. */
export function listRecord(list: List): Uint8Array {
  return framed(headed({ kind: "list", list }));
}

/** Undefined when the log and the base contradict each other: neither can then be believed. */
export function replay(base: SavedList, log: Uint8Array): Replayed | undefined {
  let saved = base;
  for (let rest = log; ; ) {
    const payload = firstPayload(rest);
    if (payload === undefined) return { saved, isWhole: rest.length === 0 };
    const next = replayOne(saved, payload);
    if (next === "gap") return { saved, isWhole: false };
    if (next === "contradiction") return undefined;
    saved = next;
    rest = rest.subarray(FRAME_BYTES + payload.length);
  }
}

function replayOne(saved: SavedList, payload: Uint8Array): SavedList | "gap" | "contradiction" {
  const split = splitHeader(payload);
  if (split === undefined) return "gap";
  const header = split.header as RecordHeader;
  if (header.kind === "list") return { ...saved, list: header.list };
  const { held } = saved;
  if (header.epoch === held.epoch && header.toRevision <= held.revision) return saved; // the base is newer
  if (header.epoch !== held.epoch || header.fromRevision !== held.revision) return "gap";
  const remove = readFlat(split.rest.subarray(0, header.removeBytes));
  const put = readFlat(split.rest.subarray(header.removeBytes));
  if (remove === undefined || put === undefined) return "gap";
  carryOut(held.blocklist, remove, put);
  if (held.blocklist.digest !== digestOf(header.digest)) return "contradiction";
  return { ...saved, held: { ...held, revision: header.toRevision, committedAtMs: header.committedAtMs } };
}

function carryOut(blocklist: Blocklist, remove: readonly ListingColumns[], put: readonly ListingColumns[]): void {
  for (const prefix of prefixesOf(remove)) blocklist.remove(prefix);
  for (const listing of listingsOf(put)) blocklist.put(listing);
}

/** The first record's content, if it is there whole. */
function firstPayload(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < FRAME_BYTES) return undefined;
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, FRAME_BYTES);
  const length = frame.readUInt32LE(0);
  if (bytes.length < FRAME_BYTES + length) return undefined;
  const payload = bytes.subarray(FRAME_BYTES, FRAME_BYTES + length);
  return crc32(payload) === frame.readUInt32LE(4) && length > 0 ? payload : undefined;
}

function framed(pieces: readonly Uint8Array[]): Uint8Array {
  const payload = Buffer.concat(pieces);
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([frame, payload]);
}

function bareListing(prefix: Prefix): Listing {
  return { prefix, until: OPEN_ENDED, rank: 0 as Rank, begun: OPEN_ENDED };
}
