/** Statements as the kernel's expressions, and the kernel's expressions as text that can be compared. */
import type { Family } from "@fleetban/proto/model/prefix";
import { type Attribute, attributesIn, textOf } from "../ipset/attributes.ts";
import type { MessageWriter } from "./message-writer.ts";
import { EXPRESSION, LIST_ITEM, VALUE, VERDICT, VERDICT_PART } from "./protocol.ts";
import { ADDRESS_BITS, type Rule, type Side, type Statement } from "./statement.ts";

const VERDICT_REGISTER = 0;
const REGISTER = 1;
const META = { register: 1, key: 2 } as const;
const META_KEY = { in: 4, out: 5, protocol: 16 } as const;
const LOOPBACK_INDEX = Uint8Array.of(1, 0, 0, 0); // of every network namespace, in the machine's order
const CT = { register: 1, key: 2 } as const;
const CT_KEY = { state: 0, direction: 1 } as const;
const CT_NEW = Uint8Array.of(8, 0, 0, 0); // in the machine's order
const CT_REPLY = Uint8Array.of(1);
const COMPARE = { register: 1, operation: 2, data: 3 } as const;
const COMPARE_AS = { equal: 0, different: 1, atMost: 3, atLeast: 5 } as const;
const PAYLOAD = { register: 1, base: 2, offset: 3, length: 4 } as const;
const PAYLOAD_BASE = { network: 1, transport: 2 } as const;
const ADDRESS_OFFSET: Readonly<Record<Side, Readonly<Record<Family, number>>>> = {
  source: { 4: 12, 6: 8 },
  destination: { 4: 16, 6: 24 },
};
const BITWISE = { source: 1, register: 2, length: 3, mask: 4, xor: 5, operation: 6 } as const;
const LOOKUP = { set: 1, register: 2, flags: 5 } as const;
const IMMEDIATE = { register: 1, data: 2 } as const;
const VERDICT_CODE = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;
const REJECT = { type: 1, code: 2 } as const;
const REJECT_AS = { unreachable: 0, reset: 1 } as const;
const PORT_UNREACHABLE: Readonly<Record<Family, number>> = { 4: 3, 6: 4 };
const PROTOCOL_NUMBER: Readonly<Record<string, number>> = {
  ...{ tcp: 6, udp: 17, dccp: 33, "ipv6-icmp": 58, sctp: 132, udplite: 136 },
};
const PORT_OFFSET: Readonly<Record<Side, number>> = { source: 0, destination: 2 };
const PORT_BYTES = 2;
const TCP_FLAGS_OFFSET = 13;
/** Of FIN, SYN, RST and ACK only SYN: it opens a connection. */
const TCP_OPENING = { mask: Uint8Array.of(0x17), value: Uint8Array.of(0x02) };

/** Attributes that hold attributes; the kernel doesn't always say so. */
const NESTS: ReadonlySet<string> = new Set(["cmp.3", "bitwise.4", "bitwise.5", "immediate.2", "immediate.2.2"]);

export function writeRule(writer: MessageWriter, rule: Rule): void {
  for (const statement of rule) writeStatement(writer, statement);
}

/** The expressions of a rule as one line each; counters are left out, as they differ by what they counted. */
export function describeExpressions(view: DataView, { from, to }: Attribute): readonly string[] {
  const lines: string[] = [];
  for (const item of attributesIn(view, from, to)) {
    const [name, data] = expressionAt(view, item);
    if (name === "counter") continue;
    lines.push(`${name} ${data === undefined ? "" : describe(view, data, name)}`);
  }
  return lines;
}

/** Sets that a rule looks up and chains that it leads to. */
export function namesIn(
  view: DataView,
  { from, to }: Attribute,
): { readonly sets: string[]; readonly chains: string[] } {
  const found = { sets: [] as string[], chains: [] as string[] };
  for (const item of attributesIn(view, from, to)) {
    const [name, data] = expressionAt(view, item);
    if (data === undefined) continue;
    if (name === "lookup") found.sets.push(...textsAt(view, data, [LOOKUP.set]));
    if (name === "immediate") {
      found.chains.push(...textsAt(view, data, [IMMEDIATE.data, VERDICT, VERDICT_PART.chain]));
    }
  }
  return found;
}

type Kind = Statement["kind"];
type Writers = { readonly [K in Kind]: (writer: MessageWriter, statement: Extract<Statement, { kind: K }>) => void };

const WRITE: Writers = {
  loopback(writer, { side }) {
    meta(writer, META_KEY[side]);
    compare(writer, COMPARE_AS.equal, LOOPBACK_INDEX);
  },
  reply(writer) {
    connection(writer, CT_KEY.direction);
    compare(writer, COMPARE_AS.equal, CT_REPLY);
  },
  icmpv6(writer, { type }) {
    protocol(writer, "ipv6-icmp");
    payload(writer, PAYLOAD_BASE.transport, 0, 1);
    compare(writer, COMPARE_AS.equal, Uint8Array.of(type));
  },
  protocol: (writer, { protocol: name }) => protocol(writer, name),
  ports(writer, { side, first, last }) {
    payload(writer, PAYLOAD_BASE.transport, PORT_OFFSET[side], PORT_BYTES);
    if (first === last) {
      compare(writer, COMPARE_AS.equal, portBytes(first));
    } else {
      compare(writer, COMPARE_AS.atLeast, portBytes(first));
      compare(writer, COMPARE_AS.atMost, portBytes(last));
    }
  },
  midstream(writer) {
    protocol(writer, "tcp");
    payload(writer, PAYLOAD_BASE.transport, TCP_FLAGS_OFFSET, 1);
    mask(writer, TCP_OPENING.mask);
    compare(writer, COMPARE_AS.different, TCP_OPENING.value);
    connection(writer, CT_KEY.state);
    mask(writer, CT_NEW);
    compare(writer, COMPARE_AS.different, new Uint8Array(CT_NEW.length));
  },
  address(writer, { side, family, length, set }) {
    const bits = ADDRESS_BITS[family];
    payload(writer, PAYLOAD_BASE.network, ADDRESS_OFFSET[side][family], bits / 8);
    if (length < bits) mask(writer, maskBytes(bits / 8, length));
    expression(writer, "lookup", () => {
      writer.text(LOOKUP.set, set);
      writer.u32(LOOKUP.register, REGISTER);
      writer.u32(LOOKUP.flags, 0);
    });
  },
  count: (writer) => expression(writer, "counter", () => undefined),
  verdict: (writer, { verdict: name }) => verdict(writer, name),
  jump: (writer, { chain }) => verdict(writer, "jump", chain),
  goto: (writer, { chain }) => verdict(writer, "goto", chain),
  reset: (writer) => expression(writer, "reject", () => writer.u32(REJECT.type, REJECT_AS.reset)),
  unreachable: (writer, { family }) =>
    expression(writer, "reject", () => {
      writer.u32(REJECT.type, REJECT_AS.unreachable);
      writer.bytes(REJECT.code, Uint8Array.of(PORT_UNREACHABLE[family]));
    }),
};

function writeStatement<K extends Kind>(writer: MessageWriter, statement: Extract<Statement, { kind: K }>): void {
  WRITE[statement.kind as K](writer, statement);
}

function mask(writer: MessageWriter, bytes: Uint8Array): void {
  expression(writer, "bitwise", () => {
    writer.u32(BITWISE.source, REGISTER);
    writer.u32(BITWISE.register, REGISTER);
    writer.u32(BITWISE.length, bytes.length);
    writer.u32(BITWISE.operation, 0); // and, then xor
    value(writer, BITWISE.mask, bytes);
    value(writer, BITWISE.xor, new Uint8Array(bytes.length));
  });
}

/** The first `length` bits set. */
export function maskBytes(bytes: number, length: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => 0xff00 >> Math.min(8, Math.max(0, length - 8 * at)));
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port & 255);
}

function protocol(writer: MessageWriter, name: string): void {
  meta(writer, META_KEY.protocol);
  compare(writer, COMPARE_AS.equal, Uint8Array.of(PROTOCOL_NUMBER[name] ?? 0));
}

function connection(writer: MessageWriter, key: number): void {
  expression(writer, "ct", () => {
    writer.u32(CT.key, key);
    writer.u32(CT.register, REGISTER);
  });
}

function meta(writer: MessageWriter, key: number): void {
  expression(writer, "meta", () => {
    writer.u32(META.key, key);
    writer.u32(META.register, REGISTER);
  });
}

function payload(writer: MessageWriter, base: number, offset: number, length: number): void {
  expression(writer, "payload", () => {
    writer.u32(PAYLOAD.register, REGISTER);
    writer.u32(PAYLOAD.base, base);
    writer.u32(PAYLOAD.offset, offset);
    writer.u32(PAYLOAD.length, length);
  });
}

function compare(writer: MessageWriter, operation: number, bytes: Uint8Array): void {
  expression(writer, "cmp", () => {
    writer.u32(COMPARE.register, REGISTER);
    writer.u32(COMPARE.operation, operation);
    value(writer, COMPARE.data, bytes);
  });
}

function verdict(writer: MessageWriter, name: keyof typeof VERDICT_CODE, chain?: string): void {
  expression(writer, "immediate", () => {
    writer.u32(IMMEDIATE.register, VERDICT_REGISTER);
    writer.nest(IMMEDIATE.data, () =>
      writer.nest(VERDICT, () => {
        writer.u32(VERDICT_PART.code, VERDICT_CODE[name]);
        if (chain !== undefined) writer.text(VERDICT_PART.chain, chain);
      }),
    );
  });
}

function expression(writer: MessageWriter, name: string, write: () => void): void {
  writer.nest(LIST_ITEM, () => {
    writer.text(EXPRESSION.name, name);
    writer.nest(EXPRESSION.data, write);
  });
}

function value(writer: MessageWriter, type: number, bytes: Uint8Array): void {
  writer.nest(type, () => writer.bytes(VALUE, bytes));
}

function expressionAt(view: DataView, item: Attribute): [name: string, data: Attribute | undefined] {
  let name = "";
  let data: Attribute | undefined;
  for (const attribute of attributesIn(view, item.from, item.to)) {
    if (attribute.type === EXPRESSION.name) name = textOf(view, attribute);
    if (attribute.type === EXPRESSION.data) data = attribute;
  }
  return [name, data];
}

/** Attributes in the order of their numbers, whatever order they came in. */
function describe(view: DataView, { from, to }: Attribute, path: string): string {
  const parts = Array.from(attributesIn(view, from, to), (attribute) => {
    const at = `${path}.${attribute.type}`;
    const text = NESTS.has(at) ? `{${describe(view, attribute, at)}}` : hexOf(view, attribute);
    return [attribute.type, `${attribute.type}=${text}`] as const;
  });
  return parts
    .toSorted(([one], [other]) => one - other)
    .map(([, text]) => text)
    .join(" ");
}

function hexOf(view: DataView, { from, to }: Attribute): string {
  return Buffer.from(view.buffer, view.byteOffset + from, to - from).toString("hex");
}

function textsAt(view: DataView, inside: Attribute, [type, ...rest]: readonly number[]): string[] {
  const found = [...attributesIn(view, inside.from, inside.to)].filter((attribute) => attribute.type === type);
  return found.flatMap((attribute) => (rest.length === 0 ? [textOf(view, attribute)] : textsAt(view, attribute, rest)));
}
