/**
 * What the kernel's ip_set answers, read from bytes: success, an error with the line it is about, headers, entries.
 *
 * Bytes come from the kernel and are not hostile, yet each length is checked before it is followed.
 */
import { type Prefix, prefixOf } from "@fleetban/proto/model/prefix";
import type { KernelEntry } from "../backend.ts";
import {
  ATTRIBUTES_AT,
  type Attribute,
  attributesIn,
  MESSAGE_HEADER_BYTES,
  type Message,
  messagesIn,
  textOf,
} from "./attributes.ts";
import type { KernelHeader } from "./kernel-sets.ts";
import {
  ADDRESS,
  ATTRIBUTE,
  COMMAND,
  COUNTER,
  FAMILY_NUMBER,
  MESSAGE_DONE,
  MESSAGE_ERROR,
  RECORD,
} from "./protocol.ts";

/** `errno` 0 = done. `line` 0 = the message as a whole. */
export interface Answer {
  readonly errno: number;
  readonly line: number;
}

/** Where the kernel repeats the refused message. */
const REFUSED_AT = MESSAGE_HEADER_BYTES + 4;

/** The end of what request `sequence` brings: its acknowledgement or error, or the end of a dump. */
export function answerIn(datagram: Uint8Array, sequence: number): Answer | undefined {
  for (const message of messagesIn(datagram)) {
    if (message.sequence !== sequence) continue; // a late answer to something given up
    if (message.type === MESSAGE_ERROR) return { errno: errnoOf(message), line: lineOf(message) };
    if (message.type === MESSAGE_DONE) return { errno: errnoOf(message), line: 0 };
  }
  return undefined;
}

export function* headersIn(datagram: Uint8Array): Generator<KernelHeader> {
  for (const { view, type } of messagesIn(datagram)) {
    if (type === COMMAND.list) yield headerOf(view);
  }
}

/** The entries of one piece of a dump. */
export function entriesIn(datagram: Uint8Array): KernelEntry[] {
  const entries: KernelEntry[] = [];
  for (const { view, type } of messagesIn(datagram)) {
    if (type !== COMMAND.list) continue;
    for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
      if (attribute.type === ATTRIBUTE.entries) readEntries(view, attribute, entries);
    }
  }
  return entries;
}

function errnoOf({ view }: Message): number {
  return view.byteLength < REFUSED_AT ? 0 : Math.abs(view.getInt32(MESSAGE_HEADER_BYTES, true));
}

function lineOf({ view }: Message): number {
  const from = REFUSED_AT + ATTRIBUTES_AT;
  for (const { type, from: at } of attributesIn(view, from, view.byteLength)) {
    if (type === ATTRIBUTE.line) return view.getUint32(at);
  }
  return 0;
}

function headerOf(view: DataView): KernelHeader {
  const read = { name: "", type: "", family: 4 as 4 | 6, maxEntries: 0, entries: 0, references: 0, hasTimeouts: false };
  for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
    if (attribute.type === ATTRIBUTE.setName) read.name = textOf(view, attribute);
    else if (attribute.type === ATTRIBUTE.typeName) read.type = textOf(view, attribute);
    else if (attribute.type === ATTRIBUTE.family)
      read.family = view.getUint8(attribute.from) === FAMILY_NUMBER[6] ? 6 : 4;
    else if (attribute.type === ATTRIBUTE.record) Object.assign(read, optionsOf(view, attribute));
  }
  return read;
}

function optionsOf(view: DataView, options: Attribute): Partial<KernelHeader> {
  const numbers = new Map<number, number>();
  for (const { type, from, to } of attributesIn(view, options.from, options.to)) {
    if (to - from === 4) numbers.set(type, view.getUint32(from));
  }
  return {
    maxEntries: numbers.get(RECORD.maxEntries) ?? 0,
    entries: numbers.get(RECORD.elements) ?? 0,
    references: numbers.get(RECORD.references) ?? 0,
    hasTimeouts: numbers.has(RECORD.timeout),
  };
}

function readEntries(view: DataView, { from, to }: Attribute, into: KernelEntry[]): void {
  for (const record of attributesIn(view, from, to)) {
    const entry = entryOf(view, record);
    if (entry !== undefined) into.push(entry);
  }
}

function entryOf(view: DataView, record: Attribute): KernelEntry | undefined {
  let address: Attribute | undefined;
  let length: number | undefined;
  const rest = { timeoutSeconds: 0, packets: 0, bytes: 0 };
  for (const attribute of attributesIn(view, record.from, record.to)) {
    if (attribute.type === RECORD.address) address = attribute;
    else if (attribute.type === RECORD.length) length = view.getUint8(attribute.from);
    else if (attribute.type === RECORD.timeout) rest.timeoutSeconds = view.getUint32(attribute.from);
    else if (attribute.type === COUNTER.packets) rest.packets = counterIn(view, attribute);
    else if (attribute.type === COUNTER.bytes) rest.bytes = counterIn(view, attribute);
  }
  return address === undefined ? undefined : entryAt(view, address, length, rest);
}

function counterIn(view: DataView, { from, to }: Attribute): number {
  return to - from === 8 ? Number(view.getBigUint64(from)) : 0;
}

function entryAt(
  view: DataView,
  address: Attribute,
  length: number | undefined,
  rest: Omit<KernelEntry, "prefix">,
): KernelEntry | undefined {
  for (const { type, from, to } of attributesIn(view, address.from, address.to)) {
    if (type === ADDRESS.v4 && to - from === 4) return { prefix: prefixV4(view, from, length), ...rest };
    if (type === ADDRESS.v6 && to - from === 16) return { prefix: prefixV6(view, from, length), ...rest };
  }
  return undefined;
}

function prefixV4(view: DataView, at: number, length = 32): Prefix {
  return prefixOf({ family: 4, length, a: view.getUint32(at), b: 0, c: 0, d: 0 });
}

function prefixV6(view: DataView, at: number, length = 128): Prefix {
  const word = (index: number) => view.getUint32(at + 4 * index);
  return prefixOf({ family: 6, length, a: word(0), b: word(1), c: word(2), d: word(3) });
}
