/**
 * One list at one revision as a file: a line that says what it is, a header, the columns, and the SHA-256 of all that.
 *
 * Damage anywhere, a byte too few or too many, makes the whole file nothing: its predecessor is there for that.
 */
import { createHash } from "node:crypto";
import { blocklistOf } from "@fleetban/proto/model/blocklist-columns";
import {
  type Digest,
  digestFromBytes,
  digestKeyToBytes,
  digestToBytes,
  parseDigestKey,
} from "@fleetban/proto/model/digest";
import type { Epoch, List, Revision } from "@fleetban/proto/model/listing";
import { flatPieces, readFlat } from "./flat-columns.ts";
import type { Held } from "./held.ts";

export interface SavedList {
  readonly list: List;
  readonly held: Held;
}

interface Header {
  readonly list: List;
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly committedAtMs: number;
  readonly isDigestProven: boolean;
  /** Hexadecimal, as is the key that it was made with. */
  readonly digest: string;
  readonly key: string;
}

const MAGIC = Buffer.from("fleetban-mirror 1\n");
const SHA256_BYTES = 32;

/** As it is at the call; a later change is not in it. */
export function basePieces({ list, held }: SavedList): Iterable<Uint8Array> {
  const { blocklist, epoch, revision, committedAtMs, isDigestProven } = held;
  const digest = Buffer.from(digestToBytes(blocklist.digest)).toString("hex");
  const key = Buffer.from(digestKeyToBytes(blocklist.key)).toString("hex");
  const header: Header = { list, epoch, revision, committedAtMs, isDigestProven, digest, key };
  return withSum([MAGIC, ...headed(header), ...flatPieces(blocklist.columns())]);
}

/** Undefined when the file is damaged. */
export function readBase(bytes: Uint8Array): SavedList | undefined {
  const summed = bytes.subarray(0, Math.max(0, bytes.length - SHA256_BYTES));
  if (Buffer.compare(summed.subarray(0, MAGIC.length), MAGIC) !== 0) return undefined;
  if (!sha256Of([summed]).equals(bytes.subarray(summed.length))) return undefined;
  const split = splitHeader(summed.subarray(MAGIC.length));
  const families = split === undefined ? undefined : readFlat(split.rest);
  if (split === undefined || families === undefined) return undefined;
  const { list, epoch, revision, committedAtMs, isDigestProven, digest, key } = split.header as Header;
  const name = { list: list.list, key: parseDigestKey(Buffer.from(key, "hex")) };
  const blocklist = blocklistOf(name, families, digestOf(digest));
  return { list, held: { blocklist, epoch, revision, committedAtMs, isDigestProven } };
}

/** Length and JSON, as they also stand before the columns of a delta. */
export function headed(header: object): readonly Uint8Array[] {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return [length, json];
}

export function splitHeader(bytes: Uint8Array): { readonly header: unknown; readonly rest: Uint8Array } | undefined {
  if (bytes.length < 4) return undefined;
  const length = Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();
  if (bytes.length < 4 + length) return undefined;
  const json = Buffer.from(bytes.buffer, bytes.byteOffset + 4, length).toString();
  return { header: JSON.parse(json), rest: bytes.subarray(4 + length) };
}

export function digestOf(hexadecimal: string): Digest {
  return digestFromBytes(Buffer.from(hexadecimal, "hex"));
}

function* withSum(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  yield* pieces;
  yield sha256Of(pieces);
}

function sha256Of(pieces: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
