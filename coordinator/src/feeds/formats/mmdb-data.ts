/**
 * The data of a MaxMind DB file: maps, texts and numbers, by the published format
 * (https://maxmind.github.io/MaxMind-DB/). Whatever is damaged throws MmdbError. Pointers can make a small file say more than any memory holds, so the values of one record are counted.
 */
import { FleetbanError } from "@fleetban/kit/errors";

export class MmdbError extends FleetbanError {
  constructor(what: string) {
    super("bad-mmdb", `the database is damaged: ${what}`);
  }
}

/** What of it is understood; other kinds are null. */
export type MmdbValue = string | number | boolean | null | readonly MmdbValue[] | { readonly [key: string]: MmdbValue };

interface Decoded {
  readonly value: MmdbValue;
  /** Behind it. */
  readonly end: number;
}

/** Of one record, those of values that are pointed at included; the richest databases have about a hundred. */
interface Budget {
  left: number;
}

const VALUES_MAX = 4_096;
const TEXT_BYTES_MAX = 1_024;
const POINTER = 1;
const NESTED_MAX = 32;
const SIZES = [29, 285, 65_821] as const;
const POINTER_OFFSETS = [0, 2_048, 526_336, 0] as const;

/** The value at that place of a section, to which its pointers are relative. */
export function decodeMmdb(section: Buffer, at: number): MmdbValue {
  return decode(section, at, 0, { left: VALUES_MAX }).value;
}

function decode(section: Buffer, at: number, depth: number, budget: Budget): Decoded {
  budget.left -= 1;
  if (budget.left < 0) throw new MmdbError("a record has too many values");
  if (depth > NESTED_MAX) throw new MmdbError("its values are nested too deep");
  const control = byteAt(section, at);
  const type = control >> 5;
  if (type === POINTER) {
    const { target, end } = pointerAt(section, at, control);
    if (byteAt(section, target) >> 5 === POINTER) throw new MmdbError("a pointer points at another");
    return { value: decode(section, target, depth + 1, budget).value, end };
  }
  const kind = type === 0 ? byteAt(section, at + 1) + 7 : type;
  const { size, end: from } = sizeAt(section, at + (type === 0 ? 2 : 1), control & 31);
  return decodeKind(section, { kind, size, from }, depth, budget);
}

function decodeKind(
  section: Buffer,
  { kind, size, from }: { readonly kind: number; readonly size: number; readonly from: number },
  depth: number,
  budget: Budget,
): Decoded {
  if (kind === 7) return mapOf(section, { from, count: size }, depth, budget);
  if (kind === 11) return arrayOf(section, { from, count: size }, depth, budget);
  if (kind === 14) return { value: size === 1, end: from };
  const end = from + size;
  if (end > section.length) throw new MmdbError("a value reaches beyond its end");
  switch (kind) {
    case 2:
      if (size > TEXT_BYTES_MAX) throw new MmdbError(`a text of ${size} bytes`);
      return { value: section.toString("utf8", from, end), end };
    case 5:
    case 6:
    case 9:
      return { value: numberOf(section.subarray(from, end)), end };
    case 3:
    case 4:
    case 8:
    case 10:
    case 15:
      return { value: null, end }; // no country and no network is one of these
    default:
      throw new MmdbError(`a value of kind ${kind}`);
  }
}

interface Items {
  readonly from: number;
  readonly count: number;
}

function mapOf(section: Buffer, { from, count }: Items, depth: number, budget: Budget): Decoded {
  const entries: [string, MmdbValue][] = [];
  let at = from;
  for (let index = 0; index < count; index += 1) {
    const key = decode(section, at, depth + 1, budget);
    const { value, end } = decode(section, key.end, depth + 1, budget);
    if (typeof key.value !== "string") throw new MmdbError("a key is no text");
    entries.push([key.value, value]);
    at = end;
  }
  return { value: Object.fromEntries(entries), end: at };
}

function arrayOf(section: Buffer, { from, count }: Items, depth: number, budget: Budget): Decoded {
  const values: MmdbValue[] = [];
  let at = from;
  for (let index = 0; index < count; index += 1) {
    const { value, end } = decode(section, at, depth + 1, budget);
    values.push(value);
    at = end;
  }
  return { value: values, end: at };
}

function sizeAt(section: Buffer, at: number, short: number): { readonly size: number; readonly end: number } {
  if (short < 29) return { size: short, end: at };
  const bytes = short - 28;
  const long = section.subarray(at, at + bytes);
  if (long.length < bytes) throw new MmdbError("a size reaches beyond its end");
  return { size: (SIZES[bytes - 1] ?? 0) + numberOf(long), end: at + bytes };
}

function pointerAt(section: Buffer, at: number, control: number): { readonly target: number; readonly end: number } {
  const bytes = ((control >> 3) & 3) + 1;
  const rest = section.subarray(at + 1, at + 1 + bytes);
  if (rest.length < bytes) throw new MmdbError("a pointer reaches beyond its end");
  const high = bytes === 4 ? 0 : (control & 7) * 2 ** (8 * bytes);
  return { target: high + numberOf(rest) + (POINTER_OFFSETS[bytes - 1] ?? 0), end: at + 1 + bytes };
}

function numberOf(bytes: Uint8Array): number {
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

function byteAt(section: Buffer, at: number): number {
  const byte = section[at];
  if (byte === undefined) throw new MmdbError("a value lies beyond its end");
  return byte;
}
