/** Requests to the kernel's ip_set as bytes. Pure but for the buffer of the writer that it is given. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { scanned, scanPrefix } from "@fleetban/proto/model/prefix-scan";
import { blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { AddRun, Op, SetName, SetSpec } from "../backend.ts";
import type { AttributeWriter } from "./attributes.ts";
import {
  ADDRESS,
  ATTRIBUTE,
  COMMAND,
  FAMILY_NUMBER,
  FLAGS,
  LIST_HEADERS_ONLY,
  MAX_TIMEOUT_SECONDS,
  PROTOCOL,
  RECORD,
  SET_TYPE,
  WITH_COUNTERS,
} from "./protocol.ts";
import { hashSizeFor } from "./set-size.ts";

/** An IPv6 entry with everything: nest 4, address 24, length 8, timeout 8, line 8. */
const MAX_ENTRY_BYTES = 52;
const SINGLE_LENGTH = { 4: 32, 6: 128 } as const;

export function createRequest(writer: AttributeWriter, spec: SetSpec, revision: number): Uint8Array {
  begin(writer, COMMAND.create, FLAGS.exclusive, spec.name);
  writer.text(ATTRIBUTE.typeName, SET_TYPE);
  writer.u8(ATTRIBUTE.revision, revision);
  writer.u8(ATTRIBUTE.family, FAMILY_NUMBER[spec.family]);
  const options = writer.beginNest(ATTRIBUTE.record);
  writer.u32(RECORD.hashSize, hashSizeFor(spec.maxEntries));
  writer.u32(RECORD.maxEntries, spec.maxEntries);
  writer.u32(RECORD.timeout, 0); // no default, but the extension
  writer.u32(RECORD.setFlags, WITH_COUNTERS);
  writer.endNest(options);
  return writer.finish();
}

export function destroyRequest(writer: AttributeWriter, name: SetName): Uint8Array {
  begin(writer, COMMAND.destroy, FLAGS.forgiving, name);
  return writer.finish();
}

export function swapRequest(writer: AttributeWriter, name: SetName, other: SetName): Uint8Array {
  begin(writer, COMMAND.swap, FLAGS.forgiving, name);
  writer.text(ATTRIBUTE.otherName, other);
  return writer.finish();
}

/** Of all sets, or of one. */
export function headersRequest(writer: AttributeWriter, name?: SetName): Uint8Array {
  begin(writer, COMMAND.list, FLAGS.dump, name);
  writer.u32(ATTRIBUTE.flags, LIST_HEADERS_ONLY);
  return writer.finish();
}

export function dumpRequest(writer: AttributeWriter, name: SetName): Uint8Array {
  begin(writer, COMMAND.list, FLAGS.dump, name);
  return writer.finish();
}

export function testRequest(writer: AttributeWriter, name: SetName, prefix: Prefix): Uint8Array {
  begin(writer, COMMAND.test, FLAGS.forgiving, name);
  const record = writer.beginNest(ATTRIBUTE.record);
  writePrefix(writer, prefix);
  writer.endNest(record);
  return writer.finish();
}

/**
 * As many ops from `from` on as are of one kind on one set and fit, `most` at most. The line of an entry in the
 * message is 1 for the first; line 0 in an answer means the whole message.
 */
export function entriesRequest(
  writer: AttributeWriter,
  ops: readonly Op[],
  from: number,
  most: number,
): { readonly bytes: Uint8Array; readonly count: number } {
  const first = ops[from];
  if (first === undefined) throw new RangeError(`internal error: no op ${from} of ${ops.length}`);
  begin(writer, COMMAND[first.kind], FLAGS.forgiving, first.set);
  writer.u32(ATTRIBUTE.line, 0);
  const entries = writer.beginNest(ATTRIBUTE.entries);
  let count = 0;
  for (let op: Op | undefined = first; op !== undefined; op = ops[from + count]) {
    const isNext = op.kind === first.kind && op.set === first.set && count < most;
    if (!isNext || writer.roomBytes < MAX_ENTRY_BYTES) break;
    count += 1;
    writeEntry(writer, op, count);
  }
  writer.endNest(entries);
  return { bytes: writer.finish(), count };
}

/** As `entriesRequest`, for rows `from` and on. */
export function runRequest(
  writer: AttributeWriter,
  { set, columns, timeouts }: AddRun,
  from: number,
  most: number,
): { readonly bytes: Uint8Array; readonly count: number } {
  begin(writer, COMMAND.add, FLAGS.forgiving, set);
  writer.u32(ATTRIBUTE.line, 0);
  const entries = writer.beginNest(ATTRIBUTE.entries);
  const end = Math.min(columns.count, from + most);
  const words = blankWords();
  let row = from;
  for (; row < end && writer.roomBytes >= MAX_ENTRY_BYTES; row += 1) {
    readPrefix(columns, row, words);
    writeRecord(writer, words, timeouts[row] ?? 0, row - from + 1);
  }
  writer.endNest(entries);
  return { bytes: writer.finish(), count: row - from };
}

function writeEntry(writer: AttributeWriter, op: Op, line: number): void {
  scanPrefix(op.prefix);
  writeRecord(writer, scanned, op.kind === "add" ? op.timeoutSeconds : undefined, line);
}

function writeRecord(
  writer: AttributeWriter,
  words: Readonly<PrefixWords>,
  timeoutSeconds: number | undefined,
  line: number,
): void {
  const record = writer.beginNest(ATTRIBUTE.record);
  writeWords(writer, words);
  if (timeoutSeconds !== undefined) writer.u32(RECORD.timeout, Math.min(timeoutSeconds, MAX_TIMEOUT_SECONDS));
  writer.u32(RECORD.line, line);
  writer.endNest(record);
}

function writePrefix(writer: AttributeWriter, prefix: Prefix): void {
  scanPrefix(prefix);
  writeWords(writer, scanned);
}

function writeWords(writer: AttributeWriter, words: Readonly<PrefixWords>): void {
  const address = writer.beginNest(RECORD.address);
  if (words.family === 4) writer.u32(ADDRESS.v4, words.a);
  else writer.u128(ADDRESS.v6, words);
  writer.endNest(address);
  if (words.length !== SINGLE_LENGTH[words.family]) writer.u8(RECORD.length, words.length);
}

function begin(writer: AttributeWriter, type: number, flags: number, name: SetName | undefined): void {
  writer.begin({ type, flags, family: FAMILY_NUMBER[4] });
  writer.u8(ATTRIBUTE.protocol, PROTOCOL);
  if (name !== undefined) writer.text(ATTRIBUTE.setName, name);
}
