/**
 * Binds a gRPC server to a port or a unix socket, and stops it within a bound.
 *
 * A port is tried before grpc-js binds it, because grpc-js gives the reason as text only, and which port is taken by
 * somebody else is what an operator has to be told.
 */
import { rm, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import { SERVER_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { Server, ServerCredentials } from "@grpc/grpc-js";

export interface Listener {
  readonly port: number;
  /** Lets calls end for a while, then ends them; idempotent. */
  close(): Promise<void>;
}

export interface PortWish {
  /** `*` = every address of both families, as far as the machine has them. */
  readonly host: string;
  /** 0 = any. */
  readonly port: number;
  /** What listens there, for a message. */
  readonly purpose: string;
  /** The configuration key that moves it. */
  readonly key: string;
}

type AddServices = (server: Server) => void;

const CLOSE_WITHIN_MS = 2_000;
const SOCKET_PATH_MAX_BYTES = 107; // sockaddr_un

export async function listenOnPort(
  wish: PortWish,
  credentials: ServerCredentials,
  addServices: AddServices,
  clock: Clock,
): Promise<Listener> {
  const host = await usableHost(wish);
  const server = new Server(SERVER_CHANNEL_OPTIONS);
  addServices(server);
  const port = await bind(server, host.includes(":") ? `[${host}]:${wish.port}` : `${host}:${wish.port}`, credentials);
  return { port, close: () => closeServer(server, clock) };
}

/** Before anything else is started: a path that is too long, or another coordinator behind it. */
export async function assertSocketUsable(path: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX_BYTES) {
    throw new FleetbanError(
      "socket-path-too-long",
      `admin socket ${path}: longer than ${SOCKET_PATH_MAX_BYTES} bytes`,
      {
        hint: "set admin_socket to a shorter path, such as /run/fleetban/admin.sock",
      },
    );
  }
  await removeStale(path);
}

/** Readable and writable by this program's account only: whoever can open it is an operator. */
export async function listenOnSocket(path: string, addServices: AddServices, clock: Clock): Promise<Listener> {
  await assertSocketUsable(path);
  const server = new Server(SERVER_CHANNEL_OPTIONS);
  addServices(server);
  const mask = process.umask(0o177);
  try {
    await bind(server, `unix:${path}`, ServerCredentials.createInsecure());
  } finally {
    process.umask(mask);
  }
  const close = async () => {
    await closeServer(server, clock);
    await rm(path, { force: true });
  };
  return { port: 0, close };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

async function closeServer(server: Server, clock: Clock): Promise<void> {
  const closed = Promise.withResolvers<void>();
  const timer = clock.timer(CLOSE_WITHIN_MS, () => {
    server.forceShutdown();
    closed.resolve();
  });
  server.tryShutdown(() => closed.resolve()); // an error = it was not running any more
  await closed.promise;
  timer.cancel();
}

/** Before anything else is started that takes time: a port that is taken is told at once. */
export async function assertPortUsable(wish: PortWish): Promise<void> {
  await usableHost(wish);
}

async function usableHost({ host, port, purpose, key }: PortWish): Promise<string> {
  for (const candidate of host === "*" ? ["::", "0.0.0.0"] : [host]) {
    const code = await tryListen(candidate, port);
    if (code === undefined) return candidate;
    if (host === "*" && candidate === "::" && (code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL")) continue;
    throw portError(candidate, port, purpose, key, code);
  }
  throw new Error("internal error: no address to listen on");
}

function portError(host: string, port: number, purpose: string, key: string, code: string): FleetbanError {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const cases: Record<string, [string, string]> = {
    EADDRINUSE: [
      "is taken by another program",
      `stop that program (\`ss -ltnp 'sport = :${port}'\` names it), or set ${key} to another port`,
    ],
    EACCES: ["is not allowed to this account", `set ${key} to a port above 1023`],
    EADDRNOTAVAIL: ["is no address of this machine", `set ${key} to one that \`ip address\` shows, or to "*"`],
  };
  const [what, hint] = cases[code] ?? [`cannot be listened on (${code})`, `set ${key} to another address or port`];
  return new FleetbanError("port-unusable", `port ${where} (${purpose}): ${what}`, { hint });
}

/** The error's code, or undefined = it can be listened on. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** A socket file that nobody listens on is left from a kill -9; one that answers is another coordinator. */
async function removeStale(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  if (await isAnswered(path)) {
    throw new FleetbanError("socket-taken", `admin socket ${path}: another coordinator is running`, {
      hint: "stop it, or give this one its own data_dir and admin_socket",
    });
  }
  await rm(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
