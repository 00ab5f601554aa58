/**
 * One open stream to a coordinator, as the link sees it: messages out, messages in, an end.
 *
 * The driver (drivers/grpc-dial.ts) makes one of a gRPC call, the tests one of two queues. Owned by the session
 * that dialed it.
 */
import type { AgentMessage, CoordinatorMessage } from "@fleetban/proto/wire/fleet";

export interface Connection {
  /** Resolves when the transport takes more: whoever sends much waits for it. Rejects when the stream is over. */
  send(message: AgentMessage): Promise<void>;
  /** Ends when the coordinator ends the stream, throws when it broke. */
  readonly messages: AsyncIterable<CoordinatorMessage>;
  close(): void;
}

/** Opens a stream to `address` (`host:port`); rejects with a LinkError. */
export type Dial = (address: string, signal: AbortSignal) => Promise<Connection>;
