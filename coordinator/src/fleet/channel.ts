/**
 * One agent's stream as the room sees it: messages in, messages out, an end. The driver makes one of a gRPC call, a
 * test one of two arrays.
 */
import type { AgentMessage, CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import type { FleetError } from "./errors.ts";

export interface AgentChannel {
  /** The address that the connection comes from, without port; empty when unknown. */
  readonly peerAddress: string;
  /** Ends when the agent ends the stream or the connection breaks. */
  readonly messages: AsyncIterable<AgentMessage>;
  /**
   * A Buffer is a whole message, encoded once for everybody. False = the transport holds enough: it would buffer more
   * without limit, so nothing more is written before `onDrain` has run.
   */
  write(message: CoordinatorMessage | Buffer): boolean;
  onDrain(run: () => void): void;
  /** After what was written. */
  end(): void;
  /** At once, with a reason. */
  cut(error: FleetError): void;
}
