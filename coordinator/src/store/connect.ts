/** How this program speaks to Postgres through postgres.js: values, limits, and nothing printed. */
import type { Log } from "@fleetban/kit/log";
import postgres from "postgres";
import { openSocket, type ServerPlace } from "./open-socket.ts";
import { SQL_TYPES } from "./sql-types.ts";

/** Where the server is: a connection URL, or the folder of the embedded server's unix socket. */
export type Address =
  | { readonly kind: "url"; readonly url: string; readonly database?: string }
  | { readonly kind: "socket"; readonly folder: string; readonly database: string };

export const SOCKET_PORT = 5432; // only names the socket's file
export const EMBEDDED_USER = "fleetban";

export interface ConnectOptions {
  readonly max: number;
  /** Settings of the session. */
  readonly session?: Readonly<Record<string, string>>;
  /** The connection is gone, or could not be made. */
  readonly onClosed?: () => void;
  readonly isWanted?: () => boolean;
  readonly onNotified?: (payload: string) => void;
}

const CONNECT_TIMEOUT_SECONDS = 10; // for what comes after the socket is there

export function connect(address: Address, log: Log, options: ConnectOptions): postgres.Sql {
  const settings = {
    ...placeOf(address),
    max: options.max,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    max_lifetime: null, // it would end a lane's connection between two statements of a transaction
    // The driver would ask each new connection for the array types, and hangs when that one dies meanwhile.
    fetch_types: false,
    types: SQL_TYPES,
    connection: {
      application_name: "fleetban",
      TimeZone: "UTC",
      jit: "off", // short statements
      ...options.session,
    },
    onnotice: (notice: postgres.Notice) => log.debug("store.noticed", { notice: notice.message }),
    onclose: () => options.onClosed?.(),
    socket: (place: ServerPlace) => openWanted(place, options), // not in the driver's types, nor is `onnotify`
    onnotify: (_channel: string, payload: string) => options.onNotified?.(payload),
  };
  return address.kind === "url" ? postgres(address.url, settings) : postgres(settings);
}

async function openWanted(place: ServerPlace, { isWanted = () => true, onClosed }: ConnectOptions) {
  try {
    if (!isWanted()) throw unwanted();
    const socket = await openSocket(place);
    if (isWanted()) return socket;
    socket.destroy(); // closed meanwhile: nobody would ever end it
    throw unwanted();
  } catch (error) {
    onClosed?.(); // the driver itself tells nobody, and would keep what is asked next waiting for ever
    throw error;
  }
}

function unwanted(): Error {
  return Object.assign(new Error("the connection is no longer wanted"), { code: "CONNECTION_CLOSED" });
}

function placeOf(address: Address) {
  if (address.kind === "url") return address.database === undefined ? {} : { database: address.database };
  return {
    path: `${address.folder}/.s.PGSQL.${SOCKET_PORT}`,
    host: "localhost",
    port: SOCKET_PORT,
    username: EMBEDDED_USER,
    database: address.database,
    ssl: false,
  };
}
