/**
 * Listens on a unix socket that only its owner may open. A socket file that nobody listens on any more (left by a
 * kill -9) is replaced; one that answers belongs to another agent and is left alone.
 */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { FleetbanError } from "@fleetban/kit/errors";
import type { ListenUnix, SocketConnection } from "../sources/socket/connection.ts";

const OWNER_ONLY_MASK = 0o177;
/** What was said last has this long to get out. */
const FAREWELL_MS = 1_000;
/** Who does not read its answers for so long is hung up on. */
const UNREAD_MS = 10_000;

/** Codes: `socket-in-use`, `socket-unavailable`. */
export class SocketError extends FleetbanError {}

export const listenUnix: ListenUnix = async (path, onConnection, signal) => {
  signal.throwIfAborted();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    onConnection(connectionOver(socket));
  });
  await listenOrReplace(server, path);
  server.on("error", () => undefined); // one connection could not be accepted; the next one may
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
};

async function listenOrReplace(server: Server, path: string): Promise<void> {
  try {
    await listenAt(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw unavailable(path, error);
    if (await isAnswered(path)) {
      throw new SocketError("socket-in-use", `${path}: another program listens there; is an agent running already?`);
    }
    rmSync(path, { force: true });
    await listenAt(server, path).catch((cause) => Promise.reject(unavailable(path, cause)));
  }
}

async function listenAt(server: Server, path: string): Promise<void> {
  const before = process.umask(OWNER_ONLY_MASK); // bound before `listen` returns: never open to others, not for a moment
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, "listening");
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // nobody behind it
  } finally {
    socket.destroy();
  }
}

function unavailable(path: string, cause: unknown): SocketError {
  return new SocketError(
    "socket-unavailable",
    `${path}: ${(cause as Error).message}; make its folder, or set another`,
    {
      cause,
    },
  );
}

function connectionOver(socket: Socket): SocketConnection {
  socket.on("error", () => socket.destroy()); // its reader and writer learn of it
  return {
    pieces: socket,
    async write(text) {
      if (socket.destroyed) throw new SocketError("socket-unavailable", "the connection is closed");
      if (socket.write(text)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.once("drain", resolve);
      socket.once("close", resolve);
      const unread = setTimeout(() => socket.destroy(), UNREAD_MS);
      await promise;
      clearTimeout(unread);
      socket.off("drain", resolve);
      socket.off("close", resolve);
    },
    end() {
      socket.end();
      socket.resume(); // what still comes is thrown away
      const farewell = setTimeout(() => socket.destroy(), FAREWELL_MS);
      socket.once("close", () => clearTimeout(farewell));
    },
  };
}
