/**
 * LEB128 varints of up to 32 bits (one word) or 128 bits (four), in place over typed arrays.
 *
 * A number is in words of 32 bits, the least significant first. Only the shortest form is accepted, so that equal
 * columns have equal bytes.
 */
import { WireError } from "./wire-error.ts";

export interface Cursor {
  readonly bytes: Uint8Array;
  /** Names the bytes in errors. */
  readonly part: string;
  at: number;
}

export interface ByteSink {
  bytes: Uint8Array;
  used: number;
}

const WORD_MAX_BYTES = 5;
const single = new Uint32Array(1);

export function createSink(expectedBytes: number): ByteSink {
  return { bytes: new Uint8Array(Math.max(32, expectedBytes)), used: 0 };
}

/** What was written, as bytes of their own. */
export function sinkBytes({ bytes, used }: ByteSink): Buffer {
  return Buffer.from(bytes.slice(0, used).buffer);
}

export function readUint32(cursor: Cursor): number {
  readVarint(cursor, single);
  return single[0] ?? 0;
}

/** Reads one varint that fits into `words`. */
export function readVarint(cursor: Cursor, words: Uint32Array): void {
  const { bytes } = cursor;
  const bits = words.length * 32;
  words.fill(0);
  for (let bit = 0; bit < bits; bit += 7) {
    const byte = bytes[cursor.at];
    if (byte === undefined) throw new WireError(cursor.part, `ends within a number, at byte ${cursor.at}`);
    cursor.at += 1;
    const word = bit >>> 5;
    const shift = bit & 31;
    const chunk = byte & 127;
    words[word] = (words[word] ?? 0) | (chunk << shift);
    if (shift > 25) {
      const carried = chunk >>> (32 - shift);
      if (word + 1 < words.length) words[word + 1] = carried;
      else if (carried !== 0) break;
    }
    if (byte > 127) continue;
    if (byte === 0 && bit > 0)
      throw new WireError(cursor.part, `number not in its shortest form, at byte ${cursor.at}`);
    return;
  }
  throw new WireError(cursor.part, `number of more than ${bits} bits, at byte ${cursor.at}`);
}

export function writeUint32(sink: ByteSink, value: number): void {
  single[0] = value;
  writeVarint(sink, single);
}

export function writeVarint(sink: ByteSink, words: Uint32Array): void {
  reserve(sink, words.length * WORD_MAX_BYTES);
  const { bytes } = sink;
  const bits = bitLength(words);
  let used = sink.used;
  for (let bit = 0; bit < bits || bit === 0; bit += 7) {
    const word = bit >>> 5;
    const shift = bit & 31;
    let chunk = (words[word] ?? 0) >>> shift;
    if (shift > 25) chunk |= (words[word + 1] ?? 0) << (32 - shift);
    bytes[used] = (chunk & 127) | (bit + 7 < bits ? 128 : 0);
    used += 1;
  }
  sink.used = used;
}

function bitLength(words: Uint32Array): number {
  let top = words.length - 1;
  while (top > 0 && words[top] === 0) top -= 1;
  return top * 32 + 32 - Math.clz32(words[top] ?? 0);
}

function reserve(sink: ByteSink, more: number): void {
  if (sink.used + more <= sink.bytes.length) return;
  const wider = new Uint8Array(2 * (sink.used + more));
  wider.set(sink.bytes);
  sink.bytes = wider;
}
