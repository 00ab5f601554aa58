/** One request and what comes back for it, over a socket whose answers lie ready when `send` returns. */
import { BackendError } from "../backend-error.ts";
import { type Answer, answerIn } from "./answer.ts";
import type { AttributeWriter } from "./attributes.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** The answer to the message that `writer` made last. */
export function exchange(socket: NetlinkSocket, writer: AttributeWriter, request: Uint8Array): Answer {
  return exchangeAll(socket, writer, request, () => undefined);
}

/** As `exchange`, for a request that brings datagrams before its end. */
export function exchangeAll(
  socket: NetlinkSocket,
  writer: AttributeWriter,
  request: Uint8Array,
  take: (datagram: Uint8Array) => void,
): Answer {
  socket.send(request);
  for (;;) {
    const { datagram, answer } = nextAnswer(socket, writer.sequence);
    take(datagram);
    if (answer !== undefined) return answer;
  }
}

/** The next datagram, and the end of request `sequence` if it is in it. */
export function nextAnswer(
  socket: NetlinkSocket,
  sequence: number,
): { readonly datagram: Uint8Array; readonly answer: Answer | undefined } {
  const datagram = socket.receive();
  if (datagram === undefined) {
    throw new BackendError("kernel-refused", "netlink: the kernel gave no answer within a second");
  }
  return { datagram, answer: answerIn(datagram, sequence) };
}
