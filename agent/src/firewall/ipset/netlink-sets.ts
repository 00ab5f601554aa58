/**
 * Kernel sets over netlink: no process, and an answer with the refused line for each message.
 *
 * A message and its answer are one synchronous call (0.7 ms for 1,024 entries); between messages the event loop runs. A
 * refusal ends a message at its line: the rest is sent again in smaller messages, so that a set that refuses everything
 * costs no square of it.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { AddRun, Op, Refusal, RowRefusal, SetName, SetSpec } from "../backend.ts";
import { type Answer, headersIn } from "./answer.ts";
import { AttributeWriter } from "./attributes.ts";
import { ERRNO, kernelError, refusalFor } from "./kernel-error.ts";
import { checkKind, isOwnSet, type KernelHeader, type KernelSets } from "./kernel-sets.ts";
import {
  createRequest,
  destroyRequest,
  entriesRequest,
  headersRequest,
  runRequest,
  swapRequest,
  testRequest,
} from "./message.ts";
import { exchange, exchangeAll } from "./netlink-exchange.ts";
import type { NetlinkSocket, OpenNetlink } from "./netlink-socket.ts";
import { nextTurn } from "./next-turn.ts";
import { NEWEST_REVISION } from "./protocol.ts";
import { createReadings } from "./set-reading.ts";
import { untilFree } from "./until-free.ts";

const MAX_ENTRIES = 1_024; // 53 of a message's 64 KB in IPv6; a bulk batch is two messages
/** After a refusal, so that sending the rest again for each further one stays cheap. */
const MIN_ENTRIES = 16;
/** Messages without letting the event loop run: a message of one entry takes 0.005 ms. */
const MESSAGES_A_TURN = 64;

export interface NetlinkSetsParts {
  readonly open: OpenNetlink;
  readonly clock: Pick<Clock, "sleep">;
}

/** Throws the reason when the kernel's ip_set doesn't answer. */
export function openNetlinkSets({ open, clock }: NetlinkSetsParts): KernelSets {
  const socket = open(0);
  const writer = new AttributeWriter();
  const readings = createReadings(open);
  try {
    readHeaders(socket, writer);
  } catch (error) {
    socket.close();
    throw error;
  }
  return {
    via: "netlink",
    createSet: async (spec) => createSet(socket, writer, spec),
    async swapSets(a, b) {
      await readings.release(a, b);
      await untilFree(clock, () => must("swap sets", a, exchange(socket, writer, swapRequest(writer, a, b))));
    },
    async destroySet(name) {
      await readings.release(name);
      await untilFree(clock, () => destroySet(socket, writer, name));
    },
    apply: (ops) => applyOps(socket, writer, ops),
    addRun: (run) => addRun(socket, writer, run),
    headers: async () =>
      readHeaders(socket, writer)
        .filter(({ name }) => isOwnSet(name))
        .map(headerOf),
    readSet: readings.read,
    async testEntry(set, prefix) {
      const answer = exchange(socket, writer, testRequest(writer, set, prefix));
      if (answer.errno === ERRNO.notInSet) return false;
      must("test an entry of set", set, answer);
      return true;
    },
    close: async () => socket.close(),
  };
}

function createSet(socket: NetlinkSocket, writer: AttributeWriter, spec: SetSpec): "created" | "exists" {
  for (let revision = NEWEST_REVISION; ; revision -= 1) {
    const answer = exchange(socket, writer, createRequest(writer, spec, revision));
    if (answer.errno === ERRNO.unknownType && revision > 0) continue; // an older kernel
    if (answer.errno !== ERRNO.setExists) must("create set", spec.name, answer);
    if (answer.errno === 0) return "created";
    for (const header of readHeaders(socket, writer, spec.name)) checkKind(header, spec);
    return "exists";
  }
}

function destroySet(socket: NetlinkSocket, writer: AttributeWriter, name: SetName): void {
  const answer = exchange(socket, writer, destroyRequest(writer, name));
  if (answer.errno !== ERRNO.setMissing) must("destroy set", name, answer);
}

async function applyOps(
  socket: NetlinkSocket,
  writer: AttributeWriter,
  ops: readonly Op[],
): Promise<readonly Refusal[]> {
  const refusals: Refusal[] = [];
  await sendEntries(socket, writer, {
    count: ops.length,
    request: (from, most) => entriesRequest(writer, ops, from, most),
    refused(from, to, errno) {
      for (const op of ops.slice(from, to)) refusals.push({ op, ...refusalFor(errno) });
    },
  });
  return refusals;
}

async function addRun(socket: NetlinkSocket, writer: AttributeWriter, run: AddRun): Promise<readonly RowRefusal[]> {
  const refusals: RowRefusal[] = [];
  await sendEntries(socket, writer, {
    count: run.columns.count,
    request: (from, most) => runRequest(writer, run, from, most),
    refused(from, to, errno) {
      for (let row = from; row < to; row += 1) refusals.push({ row, ...refusalFor(errno) });
    },
  });
  return refusals;
}

interface SentEntries {
  readonly count: number;
  /** A message with entry `from` and what follows it, `most` at most. */
  request(from: number, most: number): { readonly bytes: Uint8Array; readonly count: number };
  /** Those from `from` and before `to`. */
  refused(from: number, to: number, errno: number): void;
}

async function sendEntries(socket: NetlinkSocket, writer: AttributeWriter, entries: SentEntries): Promise<void> {
  let most = MAX_ENTRIES;
  let sinceTurn = 0;
  for (let at = 0; at < entries.count; ) {
    const { bytes, count } = entries.request(at, most);
    const { errno, line } = exchange(socket, writer, bytes);
    // Lines before the refused one are in; without a line it is the message as a whole (no such set, no permission).
    const settled = errno === 0 || line === 0 ? count : line;
    if (errno !== 0) entries.refused(line === 0 ? at : at + line - 1, at + settled, errno);
    at += settled;
    most = errno === 0 ? Math.min(MAX_ENTRIES, most * 2) : MIN_ENTRIES;
    sinceTurn = count > MIN_ENTRIES ? MESSAGES_A_TURN : sinceTurn + 1;
    if (sinceTurn < MESSAGES_A_TURN || at >= entries.count) continue;
    sinceTurn = 0;
    await nextTurn();
  }
}

/** Of all sets, or of one; an absent one has none. */
function readHeaders(socket: NetlinkSocket, writer: AttributeWriter, name?: SetName): readonly KernelHeader[] {
  const headers: KernelHeader[] = [];
  const answer = exchangeAll(socket, writer, headersRequest(writer, name), (datagram) =>
    headers.push(...headersIn(datagram)),
  );
  if (answer.errno !== ERRNO.setMissing) must("list sets", name, answer);
  return headers;
}

function headerOf({ name, family, maxEntries, entries, references }: KernelHeader) {
  return { name, family, maxEntries, entries, references };
}

function must(act: string, name: SetName | undefined, { errno }: Answer): void {
  if (errno !== 0) throw kernelError(act, name, errno);
}
