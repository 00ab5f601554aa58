/**
 * Connects to Postgres for postgres.js, which by itself would go on connecting after it was told to end, and leave that
 * connection open.
 */
import { createConnection, type Socket } from "node:net";

/** The part of postgres.js' parsed options that says where the server is. */
export interface ServerPlace {
  readonly path: string | false;
  readonly host: readonly string[];
  readonly port: readonly number[];
}

const TIMEOUT_MS = 10_000;

/** The first of several hosts that answers. */
export async function openSocket({ path, host, port }: ServerPlace): Promise<Socket> {
  if (path) return connected(createConnection({ path }));
  let failure: unknown;
  for (const [at, name] of host.entries()) {
    try {
      const socket = await connected(createConnection({ host: name, port: port[at] ?? port[0] ?? 5432 }));
      socket.setNoDelay(true);
      return Object.assign(socket, { host: name, port: port[at] }); // where the driver takes the name to verify from
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function connected(socket: Socket): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const expire = () => socket.destroy(Object.assign(new Error("Postgres does not answer"), { code: "ETIMEDOUT" }));
  socket.setTimeout(TIMEOUT_MS, expire);
  socket.once("connect", () => resolve(socket)).once("error", reject);
  await promise;
  socket.setTimeout(0);
  socket.off("timeout", expire);
  socket.off("error", reject);
  return socket;
}
