/**
 * Snapshots on the wire: a body (gzip of the encoded columns) in chunks, proven by its SHA-256.
 *
 * The body is made once and kept, so every replica serves the same bytes and a snapshot that broke off resumes at its
 * chunk. Compressing runs beside the event loop. Unpacking is bounded by the number of listings that was announced.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { finishInTurns } from "@fleetban/kit/slices";
import type { Turns } from "@fleetban/kit/turns";
import type { Blocklist } from "../model/blocklist.ts";
import { blocklistInSlices } from "../model/blocklist-columns.ts";
import { type Digest, type DigestKey, digestToBytes } from "../model/digest.ts";
import { epochToBytes } from "../model/epoch.ts";
import type { Epoch, ListNo, Revision } from "../model/listing.ts";
import type { ListingColumns } from "../model/sorted-columns.ts";
import { canonicalSha256, canonicalSha256InSlices, decodeColumnsInSlices, encodeColumnsInSlices } from "./columns.ts";
import { digestField, epochField, listField, revisionField, sized } from "./fields.ts";
import { Columns, Encoding } from "./gen/fleetban/v1/columns.ts";
import { CoordinatorMessage, type SnapshotChunk } from "./gen/fleetban/v1/fleet.ts";
import { WireError } from "./wire-error.ts";

export interface SnapshotBody {
  readonly body: Buffer;
  /** Of the body. */
  readonly sha256: Buffer;
  /** Of the columns, see `canonicalSha256`. */
  readonly columnsSha256: Buffer;
}

/** A kept snapshot, ready to be sent. */
export interface Snapshot {
  readonly list: ListNo;
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly body: Uint8Array;
  readonly sha256: Uint8Array;
  readonly columnsSha256: Uint8Array;
  readonly digest: Digest;
  readonly listings: number;
  readonly approved: boolean;
}

/** One chunk, and what all chunks of its snapshot say alike. */
export interface ReceivedChunk extends Snapshot {
  readonly chunk: number;
  readonly chunks: number;
  /** Of the whole body; `body` is this chunk's part of it. */
  readonly bodyBytes: number;
}

export interface ExpectedSnapshot {
  readonly list: ListNo;
  readonly key: DigestKey;
  readonly sha256: Uint8Array;
  readonly columnsSha256: Uint8Array;
  readonly listings: number;
  /** Believed with the body's SHA-256; sum it afterwards with `sumInSlices`. */
  readonly digest: Digest;
}

export const CHUNK_BYTES = 65_536;
export const MAX_LISTINGS = 16_777_216; // beyond it a snapshot is a mistake

const SHA256_BYTES = 32;
const LISTING_MAX_BYTES = 40; // IPv6 address 19, and runs of length 3, until 6, rank 3, begun 6
const MESSAGE_OVERHEAD_BYTES = 1_024;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Of the list at the call, which may change before this is done. With `turns` others get theirs meanwhile. */
export async function encodeSnapshotBody(blocklist: Blocklist, turns?: Turns): Promise<SnapshotBody> {
  const frozen = turns === undefined ? blocklist : blocklist.clone();
  const columns = await finishInTurns(frozen.columnsInSlices(), turns);
  const message = await finishInTurns(encodeColumnsInSlices(columns), turns);
  const body = await compress(Columns.encode(message).finish());
  return { body, sha256: sha256Of(body), columnsSha256: canonicalSha256(columns) };
}

/** How many chunks a body of that size has. */
export function chunkCount(bodyBytes: number): number {
  return Math.ceil(bodyBytes / CHUNK_BYTES);
}

/** Encoded CoordinatorMessages, one a chunk, from that chunk on; made when they are taken. */
export function* chunksOf(snapshot: Snapshot, fromChunk = 0): Generator<Buffer> {
  for (let chunk = fromChunk; chunk < chunkCount(snapshot.body.length); chunk += 1) {
    const value: SnapshotChunk = {
      list: snapshot.list,
      epoch: Buffer.from(epochToBytes(snapshot.epoch)),
      revision: snapshot.revision,
      chunk,
      chunks: chunkCount(snapshot.body.length),
      bytes: snapshot.body.length,
      sha256: Buffer.from(snapshot.sha256),
      columnsSha256: Buffer.from(snapshot.columnsSha256),
      digest: Buffer.from(digestToBytes(snapshot.digest)),
      listings: snapshot.listings,
      approved: snapshot.approved,
      encoding: Encoding.ENCODING_GZIP,
      body: Buffer.from(
        snapshot.body.buffer,
        snapshot.body.byteOffset + chunk * CHUNK_BYTES,
        chunkBytes(snapshot.body.length, chunk),
      ),
    };
    yield Buffer.from(CoordinatorMessage.encode({ kind: { $case: "snapshotChunk", value } }).finish());
  }
}

/** Refuses what cannot be a part of one bounded snapshot, so that whoever gathers chunks has nothing left to check. */
export function chunkFromMessage(message: SnapshotChunk): ReceivedChunk {
  const part = `snapshot chunk of list ${message.list}`;
  if (message.encoding !== Encoding.ENCODING_GZIP) throw new WireError(part, `unknown encoding ${message.encoding}`);
  if (message.listings > MAX_LISTINGS) throw new WireError(part, `${message.listings} listings are too many`);
  if (message.bytes === 0 || message.bytes > maxBodyBytes(message.listings)) {
    throw new WireError(part, `a body of ${message.bytes} bytes can't hold ${message.listings} listings`);
  }
  if (message.chunks !== chunkCount(message.bytes) || message.chunk >= message.chunks) {
    throw new WireError(part, `chunk ${message.chunk} of ${message.chunks} in a body of ${message.bytes} bytes`);
  }
  return {
    list: listField(part, message.list),
    epoch: epochField(part, message.epoch),
    revision: revisionField(message.revision),
    chunk: message.chunk,
    chunks: message.chunks,
    bodyBytes: message.bytes,
    sha256: sized(`${part} sha256`, message.sha256, SHA256_BYTES),
    columnsSha256: sized(`${part} columns sha256`, message.columnsSha256, SHA256_BYTES),
    digest: digestField(part, message.digest),
    listings: message.listings,
    approved: message.approved,
    body: sized(`${part} body`, message.body, chunkBytes(message.bytes, message.chunk)),
  };
}

/** The largest body that so many listings can have: a bound to check before anything is gathered. */
export function maxBodyBytes(listings: number): number {
  return listings * LISTING_MAX_BYTES + MESSAGE_OVERHEAD_BYTES;
}

/** With `turns` others get theirs while a long list is read. */
export async function decodeSnapshotColumns(
  body: Uint8Array,
  expected: Pick<ExpectedSnapshot, "list" | "sha256" | "columnsSha256" | "listings">,
  turns?: Turns,
): Promise<ListingColumns[]> {
  const part = `snapshot of list ${expected.list}`;
  const { listings } = expected;
  if (listings > MAX_LISTINGS) throw new WireError(part, `${listings} listings are too many`);
  if (!sha256Of(body).equals(expected.sha256)) throw new WireError(part, "body has another SHA-256 than announced");
  const message = await unpack(part, body, maxBodyBytes(listings));
  const families = await finishInTurns(decodeColumnsInSlices(part, message, listings), turns);
  const count = families.reduce((sum, columns) => sum + columns.count, 0);
  if (count !== listings) throw new WireError(part, `${count} listings where ${listings} were announced`);
  const columnsSha256 = await finishInTurns(canonicalSha256InSlices(families), turns);
  if (!columnsSha256.equals(expected.columnsSha256)) {
    const announced = Buffer.from(expected.columnsSha256).toString("hex");
    throw new WireError(
      part,
      `columns have SHA-256 ${columnsSha256.toString("hex")} where ${announced} was announced`,
      {
        code: "snapshot-columns-differ",
      },
    );
  }
  return families;
}

export async function decodeSnapshotBody(
  body: Uint8Array,
  expected: ExpectedSnapshot,
  turns?: Turns,
): Promise<Blocklist> {
  const families = await decodeSnapshotColumns(body, expected, turns);
  return finishInTurns(blocklistInSlices(expected, families, expected.digest), turns);
}

async function unpack(part: string, body: Uint8Array, maxBytes: number): Promise<Columns> {
  try {
    return Columns.decode(await decompress(body, { maxOutputLength: maxBytes }));
  } catch (cause) {
    throw new WireError(part, "body can't be unpacked", { cause });
  }
}

function chunkBytes(bodyBytes: number, chunk: number): number {
  return Math.min(CHUNK_BYTES, bodyBytes - chunk * CHUNK_BYTES);
}

function sha256Of(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
