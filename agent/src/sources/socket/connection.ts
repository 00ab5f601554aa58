/** A connection to the agent's socket as a part that is handed in. */

export interface SocketConnection {
  /** Pieces as they come; ends when the other side has said all. */
  readonly pieces: AsyncIterable<Buffer>;
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** What was written gets out, then the connection is closed. */
  end(): void;
}

/** Calls `onConnection` for each; closed when `signal` aborts. Resolves when it listens. */
export type ListenUnix = (
  path: string,
  onConnection: (connection: SocketConnection) => void,
  signal: AbortSignal,
) => Promise<void>;
