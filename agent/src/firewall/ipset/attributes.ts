/**
 * Netlink's grammar, without a meaning: messages made of nested attributes, written into one buffer that is kept.
 *
 * It mutates for speed (a list of 100,000 passes through here): what `finish` gives is valid until the next `begin`.
 * Lengths and types are in the machine's order (little-endian), numbers in attributes that say so in network order.
 */

/** An attribute's length has 16 bits, and the entries of a message are one attribute. */
export const MAX_MESSAGE_BYTES = 65_532;

export const MESSAGE_HEADER_BYTES = 16;
/** Behind the message's own header nfgenmsg: family, version, resource. */
export const ATTRIBUTES_AT = MESSAGE_HEADER_BYTES + 4;

const NESTED = 0x8000;
const NETWORK_ORDER = 0x4000;
const TYPE_MASK = 0x3fff;
const ASCII = new TextEncoder();
const TEXT = new TextDecoder();

export interface MessageHead {
  readonly type: number;
  readonly flags: number;
  readonly family: number;
}

/** Writes one message at a time: `begin`, attributes, `finish`. */
export class AttributeWriter {
  #bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #sequence = 0;

  /** Room that is left in the message. */
  get roomBytes(): number {
    return MAX_MESSAGE_BYTES - this.#at;
  }

  /** Number of the latest message; its answer carries it. */
  get sequence(): number {
    return this.#sequence;
  }

  begin({ type, flags, family }: MessageHead): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#bytes.fill(0, 0, ATTRIBUTES_AT);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
    this.#view.setUint32(8, this.#sequence, true);
    this.#bytes[MESSAGE_HEADER_BYTES] = family;
    this.#at = ATTRIBUTES_AT;
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#at, true);
    return this.#bytes.subarray(0, this.#at);
  }

  u8(type: number, value: number): void {
    this.#header(type, 5);
    this.#view.setUint32(this.#at + 4, value, true); // three bytes of padding behind it
    this.#at += 8;
  }

  u32(type: number, value: number): void {
    this.#header(type | NETWORK_ORDER, 8);
    this.#view.setUint32(this.#at + 4, value);
    this.#at += 8;
  }

  /** 16 bytes in network order. */
  u128(type: number, words: { readonly a: number; readonly b: number; readonly c: number; readonly d: number }): void {
    this.#header(type | NETWORK_ORDER, 20);
    this.#view.setUint32(this.#at + 4, words.a);
    this.#view.setUint32(this.#at + 8, words.b);
    this.#view.setUint32(this.#at + 12, words.c);
    this.#view.setUint32(this.#at + 16, words.d);
    this.#at += 20;
  }

  /** Zero-terminated. */
  text(type: number, value: string): void {
    const bytes = ASCII.encode(`${value}\0`);
    this.#header(type, 4 + bytes.length);
    this.#bytes.set(bytes, this.#at + 4);
    this.#bytes.fill(0, this.#at + 4 + bytes.length, this.#at + aligned(4 + bytes.length));
    this.#at += aligned(4 + bytes.length);
  }

  /** Gives the place to hand to `endNest`. */
  beginNest(type: number): number {
    const begun = this.#at;
    this.#header(type | NESTED, 4);
    this.#at += 4;
    return begun;
  }

  endNest(begun: number): void {
    this.#view.setUint16(begun, this.#at - begun, true);
  }

  #header(type: number, length: number): void {
    this.#view.setUint16(this.#at, length, true);
    this.#view.setUint16(this.#at + 2, type, true);
  }
}

/** An attribute's type without its flags, and where its payload lies. */
export interface Attribute {
  readonly type: number;
  readonly from: number;
  readonly to: number;
}

/** The attributes between two places. A length that leads out of them ends it: what the kernel sends is whole. */
export function* attributesIn(view: DataView, from: number, to: number): Generator<Attribute> {
  for (let at = from; at + 4 <= to; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > to) return;
    yield { type: view.getUint16(at + 2, true) & TYPE_MASK, from: at + 4, to: at + length };
    at += aligned(length);
  }
}

/** A text attribute's value without its final zero. */
export function textOf(view: DataView, { from, to }: Attribute): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, to - from);
  return TEXT.decode(bytes[bytes.length - 1] === 0 ? bytes.subarray(0, -1) : bytes);
}

export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** One message of a datagram, which may hold several. */
export interface Message {
  readonly view: DataView;
  readonly type: number;
  readonly sequence: number;
}

export function* messagesIn(datagram: Uint8Array): Generator<Message> {
  const whole = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= datagram.length; ) {
    const length = whole.getUint32(at, true);
    if (length < MESSAGE_HEADER_BYTES || at + length > datagram.length) return;
    const view = new DataView(datagram.buffer, datagram.byteOffset + at, length);
    yield { view, type: view.getUint16(4, true), sequence: view.getUint32(8, true) };
    at += aligned(length);
  }
}
