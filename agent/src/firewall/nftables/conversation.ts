/**
 * Talking to the kernel's nf_tables: transactions, questions and dumps, over a socket whose answers lie ready when `send`
 * returns.
 *
 * A transaction is done as a whole or not at all. The kernel goes on behind a refused message and tells of every refused
 * one, so that one attempt shows all that is wrong with it.
 */
import { BackendError } from "../backend-error.ts";
import { ATTRIBUTES_AT, MESSAGE_HEADER_BYTES, type Message, messagesIn } from "../ipset/attributes.ts";
import type { NetlinkSocket } from "../ipset/netlink-socket.ts";
import type { MessageWriter } from "./message-writer.ts";
import { BATCH_BEGIN, BATCH_END, FLAG, NETLINK_DONE, NETLINK_ERROR } from "./protocol.ts";

/** Something to do or to ask. */
export interface Request {
  readonly type: number;
  readonly flags: number;
  /** The kernel's number. */
  readonly family: number;
  readonly write: (writer: MessageWriter) => void;
}

export interface Conversation {
  /** Error numbers by place in `requests`; place -1 = of the transaction as a whole. Empty = done. */
  transact(requests: readonly Request[]): ReadonlyMap<number, number>;
  /** Gives an error number, 0 = none. */
  ask(request: Request, take: (message: Message) => void): number;
  dump(request: Omit<Request, "flags">, take: (message: Message) => void): number;
}

/** A transaction's own place among its errors. */
export const WHOLE = -1;

export function createConversation(socket: NetlinkSocket, writer: MessageWriter): Conversation {
  function send(type: number, flags: number, { family, write }: Pick<Request, "family" | "write">): number {
    writer.start();
    const sequence = writer.begin(type, flags, family);
    write(writer);
    writer.end();
    socket.send(writer.finish());
    return sequence;
  }

  function ask({ type, flags, ...rest }: Request, take: (message: Message) => void): number {
    const sequence = send(type, FLAG.request | flags, rest);
    for (;;) {
      for (const message of messagesIn(nextDatagram(socket))) {
        if (message.sequence !== sequence) continue; // a late answer to something given up
        if (isEnd(message)) return errnoOf(message);
        take(message);
      }
    }
  }

  function transact(requests: readonly Request[]): ReadonlyMap<number, number> {
    const errors = new Map<number, number>();
    if (requests.length === 0) return errors;
    writer.start();
    const begin = writer.fence(BATCH_BEGIN, FLAG.request);
    requests.forEach(({ type, flags, family, write }, place) => {
      const isLast = place === requests.length - 1; // its answer comes behind all others'
      writer.begin(type, FLAG.request | flags | (isLast ? FLAG.ack : 0), family);
      write(writer);
      writer.end();
    });
    writer.fence(BATCH_END, FLAG.request);
    socket.send(writer.finish());
    for (;;) {
      for (const message of messagesIn(nextDatagram(socket))) {
        const place = ((message.sequence - begin) >>> 0) - 1;
        if (message.type !== NETLINK_ERROR || place >= requests.length) continue;
        const errno = errnoOf(message);
        if (errno !== 0) errors.set(place, errno);
        if (place === WHOLE) {
          // Refused at the door (no permission) or at the commit: what else lies there tells no more.
          while (socket.poll() !== undefined);
          return errors;
        }
        if (place === requests.length - 1) return errors;
      }
    }
  }

  return {
    transact,
    ask: (request, take) => ask({ ...request, flags: request.flags | FLAG.ack }, take),
    dump: (request, take) => ask({ ...request, flags: FLAG.dump }, take),
  };
}

function nextDatagram(socket: NetlinkSocket): Uint8Array {
  const datagram = socket.receive();
  if (datagram !== undefined) return datagram;
  throw new BackendError("kernel-refused", "netlink: the kernel gave no answer within a second");
}

function isEnd({ type }: Message): boolean {
  return type === NETLINK_ERROR || type === NETLINK_DONE;
}

function errnoOf({ view }: Message): number {
  return view.byteLength < ATTRIBUTES_AT ? 0 : Math.abs(view.getInt32(MESSAGE_HEADER_BYTES, true));
}
