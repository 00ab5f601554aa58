/**
 * Netlink messages one behind the other in one buffer, as a transaction wants them.
 *
 * It mutates for speed (a list of 100,000 passes through here): what `finish` gives is valid until the next `start`.
 * Lengths and types are in the machine's order (little-endian), numbers in attributes in network order.
 */
import { aligned, MESSAGE_HEADER_BYTES } from "../ipset/attributes.ts";
import { SUBSYSTEM } from "./protocol.ts";

/** A socket's send buffer takes 200 KB unasked. */
const BUFFER_BYTES = 192 * 1024;
/** An attribute's length has 16 bits, and the elements of a message are one attribute. */
const MAX_MESSAGE_BYTES = 60_000;
const NESTED = 0x8000;
const GENERIC_BYTES = 4; // nfgenmsg: family, version, resource
const UINT32 = 0x1_0000_0000;
const TEXT = new TextEncoder();

export class MessageWriter {
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #begun = 0;
  #sequence = 0;

  /** Room for attributes in the message that was begun last. */
  get roomBytes(): number {
    return Math.min(MAX_MESSAGE_BYTES - (this.#at - this.#begun), this.bufferRoomBytes);
  }

  get bufferRoomBytes(): number {
    return BUFFER_BYTES - this.#at;
  }

  start(): void {
    this.#at = 0;
  }

  /** Gives the message's sequence number: its answer carries it. */
  begin(type: number, flags: number, family: number): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#begun = this.#at;
    this.#view.setUint16(this.#at + 4, type, true);
    this.#view.setUint16(this.#at + 6, flags, true);
    this.#view.setUint32(this.#at + 8, this.#sequence, true);
    this.#view.setUint32(this.#at + 12, 0);
    this.#view.setUint32(this.#at + MESSAGE_HEADER_BYTES, 0);
    this.#bytes[this.#at + MESSAGE_HEADER_BYTES] = family;
    this.#at += MESSAGE_HEADER_BYTES + GENERIC_BYTES;
    return this.#sequence;
  }

  /** The begin or end of a transaction. */
  fence(type: number, flags: number): number {
    const sequence = this.begin(type, flags, 0);
    this.#view.setUint16(this.#at - 2, SUBSYSTEM);
    this.end();
    return sequence;
  }

  end(): void {
    this.#view.setUint32(this.#begun, this.#at - this.#begun, true);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  u32(type: number, value: number): void {
    this.#header(type, 8);
    this.#view.setUint32(this.#at + 4, value);
    this.#at += 8;
  }

  /** Up to 2^53. */
  u64(type: number, value: number): void {
    this.#header(type, 12);
    this.#view.setUint32(this.#at + 4, Math.floor(value / UINT32));
    this.#view.setUint32(this.#at + 8, value % UINT32);
    this.#at += 12;
  }

  bytes(type: number, value: Uint8Array): void {
    this.#header(type, 4 + value.length);
    this.#bytes.set(value, this.#at + 4);
    const end = this.#at + 4 + value.length;
    this.#at += aligned(4 + value.length);
    this.#bytes.fill(0, end, this.#at);
  }

  /** Zero-terminated. */
  text(type: number, value: string): void {
    this.bytes(type, TEXT.encode(`${value}\0`));
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

  nest(type: number, write: () => void): void {
    const begun = this.beginNest(type);
    write();
    this.endNest(begun);
  }

  #header(type: number, length: number): void {
    this.#view.setUint16(this.#at, length, true);
    this.#view.setUint16(this.#at + 2, type, true);
  }
}
