/**
 * Reading whole sets back, in the pieces that the kernel makes (32 KB, some hundred elements).
 *
 * Each reading has sockets of its own. The kernel finds its place again by counting, so a change between two pieces, or a
 * hash table that grows, makes it skip elements that nobody touched. The first is said at the end, the second shows in
 * other elements coming first than before; then the set is read once more, and all of it is handed over again: who reads
 * keeps a table, and a second one here would be of texts, 60 MB a million. A set that is to be destroyed is first read to
 * its end into memory (`release`).
 */
import type { Family, Prefix } from "@fleetban/proto/model/prefix";
import type { KernelEntry } from "../backend.ts";
import { BackendError } from "../backend-error.ts";
import { ATTRIBUTES_AT, MESSAGE_HEADER_BYTES, messagesIn } from "../ipset/attributes.ts";
import type { NetlinkSocket, OpenNetlink } from "../ipset/netlink-socket.ts";
import { nextTurn } from "../ipset/next-turn.ts";
import { entriesIn, wholeSetRequest } from "./element.ts";
import type { MessageWriter } from "./message-writer.ts";
import { ERRNO, FLAG, NETLINK_DONE, NETLINK_ERROR } from "./protocol.ts";
import { tableError } from "./table-error.ts";

/** One kernel set; its elements are networks of this length. */
export interface ReadPart {
  readonly set: string;
  readonly family: Family;
  readonly length: number;
}

export interface Readings {
  read(parts: readonly ReadPart[]): AsyncIterable<readonly KernelEntry[]>;
  /** After it no reading needs these kernel sets. */
  release(sets: readonly string[]): Promise<void>;
}

interface Reading {
  readonly parts: readonly ReadPart[];
  /** Read from the kernel and not yet handed over. */
  readonly kept: (readonly KernelEntry[])[];
  /** The next piece from the kernel; undefined = that was all. */
  pull(): readonly KernelEntry[] | undefined;
  close(): void;
}

interface Piece {
  readonly entries: readonly KernelEntry[];
  readonly isLast: boolean;
  /** The kernel says that something has changed since the reading began. */
  readonly wasInterrupted: boolean;
}

/** One reading of one kernel set. */
interface Pass {
  readonly next: () => Piece;
  readonly close: () => void;
}

/** A set that changes all the time is believed in the end; what was missed shows at the next reading. */
const MAX_PASSES = 3;
/** Of the first piece, still there and first: less means another order. */
const SAME_ORDER = 0.9;
const FLAGS_AT = 6;

export function createReadings(open: OpenNetlink, writer: MessageWriter): Readings {
  const readings = new Set<Reading>();
  async function* read(parts: readonly ReadPart[]): AsyncIterable<readonly KernelEntry[]> {
    const reading = begin((part) => beginPass(open(0), writer, part), parts);
    readings.add(reading);
    try {
      for (;;) {
        const piece = reading.kept.shift() ?? reading.pull();
        if (piece === undefined) return;
        if (piece.length > 0) yield piece;
        await nextTurn();
      }
    } finally {
      reading.close();
      readings.delete(reading);
    }
  }
  async function release(sets: readonly string[]): Promise<void> {
    for (const reading of readings) {
      if (!reading.parts.some(({ set }) => sets.includes(set))) continue;
      for (let piece = reading.pull(); piece !== undefined; piece = reading.pull()) {
        reading.kept.push(piece);
        await nextTurn();
      }
    }
  }
  return { read, release };
}

function begin(beginOne: (part: ReadPart) => Pass, parts: readonly ReadPart[]): Reading {
  let at = 0;
  let passes = 0;
  let pass: Pass | undefined;
  let first: readonly KernelEntry[] | undefined;

  function pull(): readonly KernelEntry[] | undefined {
    const part = parts[at];
    if (part === undefined) return undefined;
    pass ??= beginOne(part);
    const { entries, isLast, wasInterrupted } = pass.next();
    first ??= entries;
    if (isLast) ended(part, wasInterrupted, first);
    return entries;
  }

  /** The set is read, or to be read once more. */
  function ended(part: ReadPart, wasInterrupted: boolean, before: readonly KernelEntry[]): void {
    close();
    first = undefined;
    passes += 1;
    if (passes < MAX_PASSES && (wasInterrupted || isReordered(part, before))) return;
    passes = 0;
    at += 1;
  }

  function isReordered(part: ReadPart, before: readonly KernelEntry[]): boolean {
    const again = beginOne(part);
    try {
      const present = new Set<Prefix>(again.next().entries.map(({ prefix }) => prefix));
      return before.filter(({ prefix }) => present.has(prefix)).length < before.length * SAME_ORDER;
    } finally {
      again.close();
    }
  }

  function close(): void {
    pass?.close();
    pass = undefined;
  }
  return { parts, kept: [], pull, close };
}

function beginPass(socket: NetlinkSocket, writer: MessageWriter, part: ReadPart): Pass {
  const { type, family, write } = wholeSetRequest(part);
  writer.start();
  const sequence = writer.begin(type, FLAG.request | FLAG.dump, family);
  write(writer);
  writer.end();
  socket.send(writer.finish());
  let wasInterrupted = false;

  function next(): Piece {
    const datagram = socket.receive();
    if (datagram === undefined) {
      throw new BackendError("kernel-refused", `read set ${part.set}: the kernel gave no answer within a second`);
    }
    const entries: KernelEntry[] = [];
    for (const message of messagesIn(datagram)) {
      if (message.sequence !== sequence) continue;
      const { view, type: kind } = message;
      wasInterrupted ||= (view.getUint16(FLAGS_AT, true) & FLAG.interrupted) !== 0;
      if (kind === NETLINK_DONE || kind === NETLINK_ERROR) {
        checkEnd(part, view);
        return { entries, isLast: true, wasInterrupted };
      }
      entries.push(...entriesIn(message, part.length));
    }
    return { entries, isLast: false, wasInterrupted };
  }
  return { next, close: socket.close };
}

/** A set that went meanwhile has no more elements. */
function checkEnd({ set }: ReadPart, view: DataView): void {
  const errno = view.byteLength < ATTRIBUTES_AT ? 0 : Math.abs(view.getInt32(MESSAGE_HEADER_BYTES, true));
  if (errno !== 0 && errno !== ERRNO.absent) throw tableError(`read set ${set}`, errno);
}
