/** Single fields of messages, checked: sizes of bytes, bounds of numbers. */
import { type Digest, digestFromBytes } from "../model/digest.ts";
import { epochFromBytes } from "../model/epoch.ts";
import type { Epoch, ListNo, Revision } from "../model/listing.ts";
import { WireError } from "./wire-error.ts";

const SHA256_BYTES = 32;
const ID_BYTES = 16;

export function epochField(part: string, bytes: Uint8Array): Epoch {
  return epochFromBytes(sized(`${part} epoch`, bytes, ID_BYTES));
}

export function digestField(part: string, bytes: Uint8Array): Digest {
  return digestFromBytes(sized(`${part} digest`, bytes, ID_BYTES));
}

export function listField(part: string, list: number): ListNo {
  if (list === 0) throw new WireError(part, "names no list");
  return list as ListNo;
}

/** ts-proto has refused what is above 2^53. */
export function revisionField(revision: number): Revision {
  return revision as Revision;
}

/** A SHA-256, or absent. */
export function sha256Field(part: string, bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : sized(`${part} sha256`, bytes, SHA256_BYTES);
}

export function sized(part: string, bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new WireError(part, `${bytes.length} bytes where ${size} must be`);
  return bytes;
}

/** The value in a table of wire numbers and model words, or undefined for a number that is not known here. */
export function wordOf<Word extends string>(table: Readonly<Record<Word, number>>, value: number): Word | undefined {
  const words = Object.keys(table) as Word[];
  return words.find((word) => table[word] === value);
}
