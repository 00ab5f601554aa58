/**
 * Reads the plain values of a Python pickle: numbers, texts, lists, tuples, dictionaries.
 *
 * Never makes an object of the pickle's choosing: what the pickle would have Python construct (fail2ban answers errors
 * with a pickled exception) becomes an `OpaqueObject`, a name and its arguments. Every operation is bounded by the bytes
 * that are there.
 */
import { Fail2banError } from "./fail2ban-error.ts";

export interface OpaqueObject {
  readonly opaque: string;
  readonly parts: PickleValue;
}

/** A tuple is a list. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | OpaqueObject;

const MARK = Symbol("mark");
type Stacked = PickleValue | typeof MARK;

interface Machine {
  readonly bytes: Buffer;
  at: number;
  readonly stack: Stacked[];
  readonly memo: Map<number, PickleValue>;
}

export function unpickle(bytes: Buffer): PickleValue {
  const machine: Machine = { bytes, at: 0, stack: [], memo: new Map() };
  try {
    for (;;) {
      const code = take(machine, 1)[0] as number;
      if (code === STOP) return pop(machine);
      const operation = OPERATIONS.get(code);
      if (operation === undefined)
        throw garbled(`operation 0x${code.toString(16)} at byte ${machine.at - 1} is unknown`);
      operation(machine);
    }
  } catch (cause) {
    throw cause instanceof Fail2banError ? cause : garbled("it is damaged", cause);
  }
}

const STOP = 0x2e;
const LONG_MAX_BYTES = 64;

const OPERATIONS = new Map<number, (machine: Machine) => void>([
  [0x80, (machine) => void take(machine, 1)], // PROTO
  [0x95, (machine) => void take(machine, 8)], // FRAME
  [0x4e, (machine) => push(machine, null)], // NONE
  [0x88, (machine) => push(machine, true)], // NEWTRUE
  [0x89, (machine) => push(machine, false)], // NEWFALSE
  [0x4b, (machine) => push(machine, take(machine, 1).readUInt8())], // BININT1
  [0x4d, (machine) => push(machine, take(machine, 2).readUInt16LE())], // BININT2
  [0x4a, (machine) => push(machine, take(machine, 4).readInt32LE())], // BININT
  [0x47, (machine) => push(machine, take(machine, 8).readDoubleBE())], // BINFLOAT
  [0x8a, (machine) => push(machine, readLong(machine, take(machine, 1).readUInt8()))], // LONG1
  [0x8c, (machine) => push(machine, readText(machine, take(machine, 1).readUInt8()))], // SHORT_BINUNICODE
  [0x58, (machine) => push(machine, readText(machine, take(machine, 4).readUInt32LE()))], // BINUNICODE
  [0x8d, (machine) => push(machine, readText(machine, readSize(machine)))], // BINUNICODE8
  [0x43, (machine) => push(machine, readBytes(machine, take(machine, 1).readUInt8()))], // SHORT_BINBYTES
  [0x42, (machine) => push(machine, readBytes(machine, take(machine, 4).readUInt32LE()))], // BINBYTES
  [0x5d, (machine) => push(machine, [])], // EMPTY_LIST
  [0x7d, (machine) => push(machine, new Map())], // EMPTY_DICT
  [0x29, (machine) => push(machine, [])], // EMPTY_TUPLE
  [0x8f, (machine) => push(machine, [])], // EMPTY_SET
  [0x28, (machine) => void machine.stack.push(MARK)], // MARK
  [0x74, (machine) => push(machine, popMark(machine))], // TUPLE
  [0x85, (machine) => push(machine, popMany(machine, 1))], // TUPLE1
  [0x86, (machine) => push(machine, popMany(machine, 2))], // TUPLE2
  [0x87, (machine) => push(machine, popMany(machine, 3))], // TUPLE3
  [0x61, (machine) => appendTo(machine, [pop(machine)])], // APPEND
  [0x65, (machine) => appendTo(machine, popMark(machine))], // APPENDS
  [0x90, (machine) => appendTo(machine, popMark(machine))], // ADDITEMS
  [0x73, (machine) => setIn(machine, popMany(machine, 2))], // SETITEM
  [0x75, (machine) => setIn(machine, popMark(machine))], // SETITEMS
  [0x94, (machine) => void machine.memo.set(machine.memo.size, top(machine))], // MEMOIZE
  [0x71, (machine) => void machine.memo.set(take(machine, 1).readUInt8(), top(machine))], // BINPUT
  [0x72, (machine) => void machine.memo.set(take(machine, 4).readUInt32LE(), top(machine))], // LONG_BINPUT
  [0x68, (machine) => push(machine, recall(machine, take(machine, 1).readUInt8()))], // BINGET
  [0x6a, (machine) => push(machine, recall(machine, take(machine, 4).readUInt32LE()))], // LONG_BINGET
  [0x30, (machine) => void pop(machine)], // POP
  [0x93, (machine) => push(machine, opaqueNamed(popMany(machine, 2)))], // STACK_GLOBAL
  [0x63, (machine) => push(machine, opaqueNamed([readLine(machine), readLine(machine)]))], // GLOBAL
  [0x52, construct], // REDUCE
  [0x81, construct], // NEWOBJ
  [0x62, (machine) => void pop(machine)], // BUILD: the state of something opaque
]);

function take(machine: Machine, count: number): Buffer {
  const end = machine.at + count;
  if (end > machine.bytes.length) throw garbled(`it ends at byte ${machine.bytes.length}, in the middle of a value`);
  const taken = machine.bytes.subarray(machine.at, end);
  machine.at = end;
  return taken;
}

function push(machine: Machine, value: PickleValue): void {
  machine.stack.push(value);
}

function top({ stack }: Machine): PickleValue {
  const value = stack.at(-1);
  if (value === undefined || value === MARK) throw garbled("it uses a value that is not there");
  return value;
}

function pop(machine: Machine): PickleValue {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

function popMany(machine: Machine, count: number): PickleValue[] {
  return Array.from({ length: count }, () => pop(machine)).reverse();
}

/** What lies above the last mark. */
function popMark({ stack }: Machine): PickleValue[] {
  const at = stack.lastIndexOf(MARK);
  if (at < 0) throw garbled("it uses a mark that is not there");
  return stack.splice(at).slice(1) as PickleValue[];
}

function appendTo(machine: Machine, values: readonly PickleValue[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) throw garbled("it appends to what is no list");
  for (const value of values) list.push(value);
}

function setIn(machine: Machine, values: readonly PickleValue[]): void {
  const map = top(machine);
  if (!(map instanceof Map) || values.length % 2 !== 0) throw garbled("it sets a key in what is no dictionary");
  for (let at = 0; at < values.length; at += 2) map.set(values[at] as PickleValue, values[at + 1] as PickleValue);
}

function recall({ memo }: Machine, key: number): PickleValue {
  const value = memo.get(key);
  if (value === undefined) throw garbled(`it recalls value ${key}, which it never kept`);
  return value;
}

/** fail2ban's addresses pickle themselves as a call of Python's `str` with their text. */
const TEXT_MAKERS = ["builtins.str", "__builtin__.unicode"];

function construct(machine: Machine): void {
  const parts = pop(machine);
  const named = pop(machine);
  const opaque = typeof named === "object" && named !== null && "opaque" in named ? named.opaque : "";
  const [text] = Array.isArray(parts) ? parts : [];
  push(machine, TEXT_MAKERS.includes(opaque) && typeof text === "string" ? text : { opaque, parts });
}

function opaqueNamed(names: readonly PickleValue[]): OpaqueObject {
  return { opaque: names.map(String).join("."), parts: [] };
}

function readText(machine: Machine, bytes: number): string {
  return take(machine, bytes).toString("utf8");
}

function readBytes(machine: Machine, bytes: number): Uint8Array {
  return Uint8Array.from(take(machine, bytes));
}

function readSize(machine: Machine): number {
  return Number(take(machine, 8).readBigUInt64LE());
}

function readLine(machine: Machine): string {
  const end = machine.bytes.indexOf(0x0a, machine.at);
  if (end < 0) throw garbled("a name in it does not end");
  const line = readText(machine, end - machine.at);
  machine.at = end + 1;
  return line;
}

/** Little-endian two's complement. */
function readLong(machine: Machine, count: number): number | bigint {
  if (count > LONG_MAX_BYTES) throw garbled(`a number of ${count} bytes: more than ${LONG_MAX_BYTES} are not expected`);
  const bytes = Buffer.from(take(machine, count)).reverse();
  if (count === 0) return 0;
  const value = BigInt.asIntN(count * 8, BigInt(`0x${bytes.toString("hex")}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function garbled(why: string, cause?: unknown): Fail2banError {
  return new Fail2banError("fail2ban-garbled", `fail2ban's answer can't be read: ${why}`, { cause });
}
