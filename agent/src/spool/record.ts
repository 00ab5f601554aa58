/**
 * One record of a segment file, and how to find records again in a damaged one.
 *
 *     magic "FbS1" · length of the body u32 · crc32 of the body u32 · body
 *
 * The body begins with its kind. A sighting carries its own incarnation and sequence number, so that each record
 * stands alone: damage to one takes nothing from its neighbors. All numbers are little-endian.
 */
import { crc32 } from "node:zlib";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Sighting } from "@fleetban/proto/model/sighting";
import type { SourcePosition } from "./source-position.ts";
import { SpoolError } from "./spool-error.ts";

export const BODY_MAX_BYTES = 16_384;
const HEAD_BYTES = 12;
const MAGIC = Buffer.from("FbS1");
const SIGHTING_HEAD_BYTES = 1 + 16 + 8;
const KIND = { sighting: 1, positions: 2 } as const;

export type SpoolRecord =
  | {
      readonly kind: "sighting";
      /** 32 hexadecimal digits. */
      readonly incarnation: string;
      readonly seq: number;
      readonly sighting: Sighting;
      /** Up to which it accounts; absent for a source that can't be read again. */
      readonly position: SourcePosition | undefined;
    }
  /** Sources were read up to here, and what they said was known or nothing to tell. */
  | { readonly kind: "positions"; readonly positions: readonly SourcePosition[] };

export interface PlacedRecord {
  readonly record: SpoolRecord;
  readonly offset: number;
  readonly bytes: number;
}

export function encodeRecord(record: SpoolRecord): Buffer {
  const body = bodyOf(record);
  if (body.length > BODY_MAX_BYTES) {
    throw new SpoolError("spool-too-large", `record of ${body.length} bytes: must be at most ${BODY_MAX_BYTES}`);
  }
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(crc32(body), 8);
  return Buffer.concat([head, body]);
}

/** Every whole record in order; what can't be read between them is passed over. */
export function* scanRecords(bytes: Buffer): Generator<PlacedRecord> {
  let offset = 0;
  while (offset + HEAD_BYTES <= bytes.length) {
    const placed = readRecord(bytes, offset);
    if (placed !== undefined) {
      yield placed;
      offset += placed.bytes;
      continue;
    }
    const next = bytes.indexOf(MAGIC, offset + 1);
    if (next < 0) return;
    offset = next;
  }
}

/** The record that begins there, if it is whole and undamaged. */
export function readRecord(bytes: Buffer, offset: number): PlacedRecord | undefined {
  if (offset + HEAD_BYTES > bytes.length || !bytes.subarray(offset, offset + 4).equals(MAGIC)) return undefined;
  const length = bytes.readUInt32LE(offset + 4);
  const begin = offset + HEAD_BYTES;
  if (length === 0 || length > BODY_MAX_BYTES || begin + length > bytes.length) return undefined;
  const body = bytes.subarray(begin, begin + length);
  if (crc32(body) !== bytes.readUInt32LE(offset + 8)) return undefined;
  const record = recordOf(body);
  return record && { record, offset, bytes: HEAD_BYTES + length };
}

function bodyOf(record: SpoolRecord): Buffer {
  switch (record.kind) {
    case "sighting": {
      const head = Buffer.alloc(SIGHTING_HEAD_BYTES);
      head[0] = KIND.sighting;
      head.write(record.incarnation, 1, "hex");
      head.writeBigUInt64LE(BigInt(record.seq), 17);
      const { evidence, ...rest } = record.sighting;
      const plain = { ...rest, evidence: Buffer.from(evidence).toString("base64"), position: record.position };
      return Buffer.concat([head, Buffer.from(JSON.stringify(plain))]);
    }
    case "positions":
      return Buffer.concat([Buffer.of(KIND.positions), Buffer.from(JSON.stringify(record.positions))]);
  }
}

/** The checksum was right, so what is unreadable here was written by a later version: passed over. */
function recordOf(body: Buffer): SpoolRecord | undefined {
  try {
    if (body[0] === KIND.sighting) return sightingOf(body);
    if (body[0] === KIND.positions) return { kind: "positions", positions: JSON.parse(body.toString("utf8", 1)) };
    return undefined;
  } catch {
    return undefined;
  }
}

function sightingOf(body: Buffer): SpoolRecord {
  const plain = JSON.parse(body.toString("utf8", SIGHTING_HEAD_BYTES));
  const { position, evidence, address, ...rest } = plain;
  return {
    kind: "sighting",
    incarnation: body.toString("hex", 1, 17),
    seq: Number(body.readBigUInt64LE(17)),
    sighting: { ...rest, address: parsePrefix(address), evidence: Uint8Array.from(Buffer.from(evidence, "base64")) },
    position,
  };
}
