/**
 * Reading whole sets back over netlink, in the pieces that the kernel makes (32 KB, about 1,000 entries).
 *
 * Each reading has a socket of its own, so that a slow reader holds up no request. As long as one is open the kernel
 * neither swaps nor destroys its set: who wants that takes the rest of the reading into memory first (`release`).
 */
import type { KernelEntry, SetName } from "../backend.ts";
import { entriesIn } from "./answer.ts";
import { AttributeWriter } from "./attributes.ts";
import { kernelError } from "./kernel-error.ts";
import { dumpRequest } from "./message.ts";
import { nextAnswer } from "./netlink-exchange.ts";
import type { OpenNetlink } from "./netlink-socket.ts";
import { nextTurn } from "./next-turn.ts";

export interface Readings {
  read(name: SetName): AsyncIterable<readonly KernelEntry[]>;
  /** After it no reading holds these sets. */
  release(...names: readonly SetName[]): Promise<void>;
}

interface Reading {
  readonly name: SetName;
  /** Read from the kernel and not yet handed over. */
  readonly kept: (readonly KernelEntry[])[];
  /** The next piece from the kernel; undefined = that was all. */
  pull(): readonly KernelEntry[] | undefined;
  close(): void;
}

export function createReadings(open: OpenNetlink): Readings {
  const readings = new Set<Reading>();
  async function* read(name: SetName): AsyncIterable<readonly KernelEntry[]> {
    const reading = begin(open, name);
    readings.add(reading);
    try {
      for (;;) {
        const piece = reading.kept.shift() ?? reading.pull();
        if (piece === undefined) return;
        yield piece;
        await nextTurn();
      }
    } finally {
      reading.close();
      readings.delete(reading);
    }
  }
  async function release(...names: readonly SetName[]): Promise<void> {
    for (const reading of readings) {
      if (!names.includes(reading.name)) continue;
      for (let piece = reading.pull(); piece !== undefined; piece = reading.pull()) {
        reading.kept.push(piece);
        await nextTurn();
      }
    }
  }
  return { read, release };
}

function begin(open: OpenNetlink, name: SetName): Reading {
  const socket = open(0);
  const writer = new AttributeWriter();
  let isOpen = true;
  const close = () => {
    isOpen = false;
    socket.close();
  };
  const pull = () => {
    if (!isOpen) return undefined;
    const { datagram, answer } = nextAnswer(socket, writer.sequence);
    const entries = entriesIn(datagram);
    if (answer !== undefined) close(); // the kernel lets go of the set
    if (answer !== undefined && answer.errno !== 0) throw kernelError("read set", name, answer.errno);
    return answer !== undefined && entries.length === 0 ? undefined : entries;
  };
  socket.send(dumpRequest(writer, name));
  return { name, kept: [], pull, close };
}
