/**
 * A MaxMind DB of countries or networks (GeoLite2, DB-IP, IPinfo): every network of the wanted countries or autonomous
 * systems. Only what is wanted becomes a row; the rest of the internet is walked by.
 */
import { type Prefix, prefixFromBytes } from "@fleetban/proto/model/prefix";
import type { EntryFilter } from "../feed.ts";
import { decodeMmdb, MmdbError, type MmdbValue } from "./mmdb-data.ts";
import type { Rows } from "./row.ts";

interface Tree {
  readonly bytes: Buffer;
  readonly nodes: number;
  readonly recordBits: number;
  readonly data: Buffer;
  readonly hasV6: boolean;
  readonly builtAtMs: number | undefined;
}

interface Told {
  readonly country?: string;
  readonly network?: number;
}

/** A record of the tree, and the bits that lead to it. */
interface Branch {
  readonly record: number;
  readonly bits: Uint8Array;
  readonly depth: number;
}

const MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
const METADATA_MAX = 128 * 1_024;
const SEPARATOR = 16;
const VISITS_A_SLICE = 512;
/** In a database of both versions IPv4 lies below ::/96. */
const V4_DEPTH = 96;

export function* mmdbRows(file: Uint8Array, filter: EntryFilter): Rows {
  try {
    const tree = openTree(Buffer.from(file.buffer, file.byteOffset, file.length));
    if (tree.builtAtMs !== undefined) yield { kind: "made", atMs: tree.builtAtMs };
    yield* treeRows(tree, filter);
  } catch (error) {
    if (!(error instanceof MmdbError)) throw error;
    yield { kind: "refused", reason: error.message };
  }
}

function openTree(file: Buffer): Tree {
  const marker = file.lastIndexOf(MARKER);
  if (marker < 0 || file.length - marker > METADATA_MAX) throw new MmdbError("it has no metadata");
  const metadata = decodeMmdb(file.subarray(marker + MARKER.length), 0);
  const { node_count: nodes, record_size: recordBits, ip_version: version, build_epoch: built } = recordOf(metadata);
  if (typeof nodes !== "number" || (recordBits !== 24 && recordBits !== 28 && recordBits !== 32)) {
    throw new MmdbError("its metadata tell no tree");
  }
  const size = (nodes * recordBits) / 4;
  if (size + SEPARATOR > marker) throw new MmdbError("its tree reaches beyond its end");
  return {
    ...{ nodes, recordBits, hasV6: version === 6 },
    bytes: file.subarray(0, size),
    data: file.subarray(size + SEPARATOR, marker),
    builtAtMs: typeof built === "number" ? built * 1_000 : undefined,
  };
}

function* treeRows(tree: Tree, filter: EntryFilter): Rows {
  const known = new Map<number, Told>();
  let line = 0;
  for (const leaf of leavesOf(tree)) {
    if (leaf === undefined) {
      yield { kind: "passed" };
      continue;
    }
    const { record, bits, depth } = leaf;
    const at = record - tree.nodes - SEPARATOR;
    const told = known.get(at) ?? toldBy(recordOf(decodeMmdb(tree.data, at)));
    known.set(at, told);
    if (!isWanted(told, filter)) continue;
    line += 1;
    const prefix = prefixOfBits(bits, depth, tree.hasV6);
    yield { kind: "prefixes", line, text: prefix, prefixes: [prefix], ...told };
  }
}

/** Of a tree every node is come by once; one that is no tree is given up. Undefined now and then, whatever is found. */
function* leavesOf(tree: Tree): Generator<Branch | undefined, void> {
  const width = tree.hasV6 ? 128 : 32;
  const waiting: Branch[] = [{ record: 0, bits: new Uint8Array(width / 8), depth: 0 }];
  let visits = 0;
  for (let branch = waiting.pop(); branch !== undefined; branch = waiting.pop()) {
    const { record, bits, depth } = branch;
    if (record === tree.nodes) continue;
    if (record > tree.nodes) {
      yield branch;
      continue;
    }
    visits += 1;
    if (visits % VISITS_A_SLICE === 0) yield undefined;
    if (visits > tree.nodes || depth >= width) throw new MmdbError("its tree has a loop");
    for (const side of [1, 0] as const) {
      const below = side === 0 ? bits : withBit(bits, depth);
      if (tree.hasV6 && !isWalked(below, depth + 1)) continue;
      waiting.push({ record: recordAt(tree, record, side), bits: below, depth: depth + 1 });
    }
  }
}

/** IPv4 below ::/96, and 2000::/3 without 2002::/16, which repeats it. */
function isWalked(bits: Uint8Array, depth: number): boolean {
  if (depth <= 3) return depth < 3 || (bits[0] ?? 0) >> 5 <= 1;
  if ((bits[0] ?? 0) >> 5 === 1) return !(depth === 16 && bits[0] === 0x20 && bits[1] === 0x02);
  return depth > V4_DEPTH || bits.every((byte) => byte === 0);
}

function withBit(bits: Uint8Array, depth: number): Uint8Array {
  const set = Uint8Array.from(bits);
  set[depth >> 3] = (set[depth >> 3] ?? 0) | (128 >> (depth & 7));
  return set;
}

function recordAt({ bytes, recordBits }: Tree, node: number, side: 0 | 1): number {
  const size = recordBits / 4;
  const at = node * size;
  if (recordBits === 24) return bytes.readUIntBE(at + side * 3, 3);
  if (recordBits === 32) return bytes.readUInt32BE(at + side * 4);
  const middle = bytes[at + 3] ?? 0; // 28 bits: its two halves are the records' highest
  return side === 0
    ? (middle >> 4) * 2 ** 24 + bytes.readUIntBE(at, 3)
    : (middle & 15) * 2 ** 24 + bytes.readUIntBE(at + 4, 3);
}

function prefixOfBits(bits: Uint8Array, depth: number, hasV6: boolean): Prefix {
  if (!hasV6) return prefixFromBytes(bits, depth);
  const isV4 = (bits[0] ?? 0) >> 5 === 0;
  if (isV4 && depth < V4_DEPTH) throw new MmdbError("an entry is wider than all of IPv4");
  return isV4 ? prefixFromBytes(bits.slice(12), depth - V4_DEPTH) : prefixFromBytes(bits, depth);
}

/** By the names that the makers of such databases use. */
function toldBy(record: Readonly<Record<string, MmdbValue>>): Told {
  const nested = recordOf(record.country).iso_code ?? recordOf(record.registered_country).iso_code;
  const country = nested ?? record.country_code ?? record.country;
  const number = record.autonomous_system_number ?? record.asn;
  const [, digits] = /^(?:AS)?(\d{1,10})$/i.exec(String(number ?? "")) ?? [];
  return {
    ...(typeof country === "string" && /^[A-Z]{2}$/.test(country) ? { country } : {}),
    ...(digits === undefined ? {} : { network: Number(digits) }),
  };
}

function isWanted({ country, network }: Told, { onlyCountries, onlyNetworks }: EntryFilter): boolean {
  const isCountry = onlyCountries.length === 0 || (country !== undefined && onlyCountries.includes(country));
  return isCountry && (onlyNetworks.length === 0 || (network !== undefined && onlyNetworks.includes(network)));
}

function recordOf(value: MmdbValue | undefined): Readonly<Record<string, MmdbValue>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return value as Readonly<Record<string, MmdbValue>>;
}
