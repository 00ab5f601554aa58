/** Elements of kernel sets: as the kernel wants them written, and as it tells them. */
import { type Family, type Prefix, prefixOf } from "@fleetban/proto/model/prefix";
import { hasHostBits, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import type { KernelEntry } from "../backend.ts";
import { ATTRIBUTES_AT, type Attribute, attributesIn, type Message } from "../ipset/attributes.ts";
import type { Request } from "./conversation.ts";
import type { MessageWriter } from "./message-writer.ts";
import { TABLE_NAME } from "./names.ts";
import { COUNTER, ELEMENT, ELEMENT_LIST, EXPRESSION, FAMILY_NUMBER, LIST_ITEM, MESSAGE, VALUE } from "./protocol.ts";

/** Packets and bytes that it has matched. */
export type Counted = Pick<KernelEntry, "packets" | "bytes">;

export interface Element {
  /** The network's address; its length is the set's. */
  readonly key: Uint8Array;
  /** 0 = none. */
  readonly timeoutSeconds: number;
  /** What to begin at; undefined = 0. */
  readonly counted?: Counted | undefined;
}

/** Of one kernel set. */
export interface ElementSet {
  readonly family: Family;
  readonly set: string;
}

const MS_A_SECOND = 1_000;
const UINT32 = 0x1_0000_0000;

export function elementsRequest(
  type: number,
  flags: number,
  { family, set }: ElementSet,
  elements: readonly Element[],
  table: string = TABLE_NAME,
): Request {
  const withTimes = type === MESSAGE.newElement;
  return {
    ...{ type, flags, family: FAMILY_NUMBER[family] },
    write(writer) {
      writer.text(ELEMENT_LIST.table, table);
      writer.text(ELEMENT_LIST.set, set);
      const list = writer.beginNest(ELEMENT_LIST.elements);
      for (const element of elements) writeElement(writer, element, withTimes);
      writer.endNest(list);
    },
  };
}

/** For a dump. */
export function wholeSetRequest({ family, set }: ElementSet): Request {
  return {
    ...{ type: MESSAGE.getElement, flags: 0, family: FAMILY_NUMBER[family] },
    write(writer) {
      writer.text(ELEMENT_LIST.table, TABLE_NAME);
      writer.text(ELEMENT_LIST.set, set);
    },
  };
}

export function entriesIn(message: Message, length: number): KernelEntry[] {
  const entries: KernelEntry[] = [];
  for (const item of itemsIn(message)) {
    const entry = entryOf(message.view, item, length);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function* itemsIn({ view }: Message): Generator<Attribute> {
  for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
    if (attribute.type === ELEMENT_LIST.elements) yield* attributesIn(view, attribute.from, attribute.to);
  }
}

/** Written out attribute by attribute: a closure an element would double the time of a load. */
function writeElement(writer: MessageWriter, { key, timeoutSeconds, counted }: Element, withTimes: boolean): void {
  const item = writer.beginNest(LIST_ITEM);
  const keyNest = writer.beginNest(ELEMENT.key);
  writer.bytes(VALUE, key);
  writer.endNest(keyNest);
  if (withTimes) {
    writer.u64(ELEMENT.timeout, timeoutSeconds * MS_A_SECOND);
    // Said as well: an element that has this timeout already is not renewed by it alone.
    if (timeoutSeconds > 0) writer.u64(ELEMENT.expiration, timeoutSeconds * MS_A_SECOND);
  }
  if (counted !== undefined) writeCounter(writer, counted);
  writer.endNest(item);
}

function writeCounter(writer: MessageWriter, { packets, bytes }: Counted): void {
  writer.nest(ELEMENT.expression, () => {
    writer.text(EXPRESSION.name, "counter");
    writer.nest(EXPRESSION.data, () => {
      writer.u64(COUNTER.bytes, bytes);
      writer.u64(COUNTER.packets, packets);
    });
  });
}

function entryOf(view: DataView, item: Attribute, length: number): KernelEntry | undefined {
  let prefix: Prefix | undefined;
  let leftMs = 0;
  let timeoutMs = 0;
  let counted: Counted = { packets: 0, bytes: 0 };
  for (const attribute of attributesIn(view, item.from, item.to)) {
    if (attribute.type === ELEMENT.key) prefix = prefixAt(view, attribute, length);
    else if (attribute.type === ELEMENT.timeout) timeoutMs = u64At(view, attribute);
    else if (attribute.type === ELEMENT.expiration) leftMs = u64At(view, attribute);
    else if (attribute.type === ELEMENT.expression) counted = countedAt(view, attribute);
    else if (attribute.type === ELEMENT.expressions) counted = countedInList(view, attribute);
  }
  if (prefix === undefined) return undefined;
  return { prefix, timeoutSeconds: timeoutMs === 0 ? 0 : Math.max(1, Math.ceil(leftMs / MS_A_SECOND)), ...counted };
}

function prefixAt(view: DataView, key: Attribute, length: number): Prefix | undefined {
  for (const { type, from, to } of attributesIn(view, key.from, key.to)) {
    if (type !== VALUE) continue;
    const word = (index: number) => view.getUint32(from + 4 * index);
    if (to - from === 4) return prefixIn({ family: 4, length, a: word(0), b: 0, c: 0, d: 0 });
    if (to - from === 16) return prefixIn({ family: 6, length, a: word(0), b: word(1), c: word(2), d: word(3) });
  }
  return undefined;
}

/** What somebody added by hand may have host bits: no masked source ever equals it. */
function prefixIn(words: PrefixWords): Prefix | undefined {
  return hasHostBits(words) ? undefined : prefixOf(words);
}

function countedInList(view: DataView, { from, to }: Attribute): Counted {
  for (const item of attributesIn(view, from, to)) return countedAt(view, item);
  return { packets: 0, bytes: 0 };
}

function countedAt(view: DataView, { from, to }: Attribute): Counted {
  const counted = { packets: 0, bytes: 0 };
  for (const data of attributesIn(view, from, to)) {
    if (data.type !== EXPRESSION.data) continue;
    for (const attribute of attributesIn(view, data.from, data.to)) {
      if (attribute.type === COUNTER.packets) counted.packets = u64At(view, attribute);
      if (attribute.type === COUNTER.bytes) counted.bytes = u64At(view, attribute);
    }
  }
  return counted;
}

function u64At(view: DataView, { from, to }: Attribute): number {
  return to - from < 8 ? 0 : view.getUint32(from) * UINT32 + view.getUint32(from + 4);
}
