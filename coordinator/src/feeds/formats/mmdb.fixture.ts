/** Makes a small MaxMind DB file, by the published format. */
import { bytesOf, familyOf, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";

export interface MmdbOptions {
  readonly recordBits: 24 | 28 | 32;
  readonly version: 4 | 6;
  readonly builtAt?: number;
}

type Value = string | number | { readonly [key: string]: Value };
type Node = [Child, Child];
type Child = Node | number | undefined;

export function mmdbOf(entries: readonly (readonly [Prefix, Value])[], options: MmdbOptions): Buffer {
  const { recordBits, version, builtAt = 1_795_000_000 } = options;
  const data: Buffer[] = [];
  const places = new Map<string, number>();
  const root: Node = [undefined, undefined];
  for (const [prefix, value] of entries) insert(root, bitsOf(prefix, version), placeOf(value));
  const nodes = numbered(root);
  const numbers = new Map(nodes.map((node, number) => [node, number]));
  const record = (child: Child) =>
    child === undefined
      ? nodes.length
      : typeof child === "number"
        ? nodes.length + 16 + child
        : (numbers.get(child) ?? 0);
  const tree = nodes.map(([left, right]) => nodeBytes(record(left), record(right), recordBits));
  const metadata = encode({
    ...{ node_count: nodes.length, record_size: recordBits, ip_version: version, database_type: "Test" },
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: builtAt },
  });
  const marker = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
  return Buffer.concat([...tree, Buffer.alloc(16), ...data, marker, metadata]);

  function placeOf(value: Value): number {
    const text = JSON.stringify(value);
    const place = places.get(text) ?? Buffer.concat(data).length;
    if (!places.has(text)) data.push(encode(value));
    places.set(text, place);
    return place;
  }
}

function insert(root: Node, bits: readonly (0 | 1)[], place: number): void {
  let node = root;
  for (const bit of bits.slice(0, -1)) {
    const next = node[bit];
    if (typeof next === "number") throw new Error("an entry lies in another");
    const below: Node = next ?? [undefined, undefined];
    node[bit] = below;
    node = below;
  }
  node[bits.at(-1) ?? 0] = place;
}

function bitsOf(prefix: Prefix, version: 4 | 6): (0 | 1)[] {
  const bytes = bytesOf(prefix);
  const bits = Array.from(
    { length: lengthOf(prefix) },
    (_, at) => (((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) as 0 | 1,
  );
  return version === 6 && familyOf(prefix) === 4 ? [...Array.from({ length: 96 }, () => 0 as const), ...bits] : bits;
}

function numbered(root: Node): Node[] {
  const nodes = [root];
  for (const node of nodes) for (const child of node) if (Array.isArray(child)) nodes.push(child);
  return nodes;
}

function nodeBytes(left: number, right: number, bits: 24 | 28 | 32): Buffer {
  const node = Buffer.alloc(bits / 4);
  if (bits === 24) {
    node.writeUIntBE(left, 0, 3);
    node.writeUIntBE(right, 3, 3);
  } else if (bits === 32) {
    node.writeUInt32BE(left, 0);
    node.writeUInt32BE(right, 4);
  } else {
    node.writeUIntBE(left & 0xffffff, 0, 3);
    node[3] = ((left >>> 24) << 4) | (right >>> 24);
    node.writeUIntBE(right & 0xffffff, 4, 3);
  }
  return node;
}

function encode(value: Value): Buffer {
  if (typeof value === "string") return Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([head(6, 4), bytes]);
  }
  const entries = Object.entries(value);
  return Buffer.concat([head(7, entries.length), ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)])]);
}

function head(type: number, size: number): Buffer {
  return size < 29 ? Buffer.from([(type << 5) | size]) : Buffer.from([(type << 5) | 29, size - 29]);
}
