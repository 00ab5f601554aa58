/** The store's failures, and the one place that knows which of them pass by themselves. */
import { FleetbanError } from "@fleetban/kit/errors";

export type StoreErrorCode =
  | "commit-unknown"
  | "connection-lost"
  | "data-folder-in-use"
  | "data-folder-unreachable"
  | "postgres-not-found"
  | "postgres-not-started"
  | "schema-newer";

export class StoreError extends FleetbanError {
  declare readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, details?: { hint?: string; cause?: unknown }) {
    super(code, message, details);
  }
}

/** SQLSTATE classes and codes after which the same statement may well succeed. */
const PASSING_CLASSES = ["08", "53", "57P"]; // connection, insufficient resources, shut down or starting
const PASSING_CODES = new Set([
  "25006", // read-only: a stray statement after a lost connection, or a standby before it is promoted
  "40001", // serialization
  "40P01", // deadlock
  "55P03", // lock not available
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED", // of a client that was thrown away; a closed store says so too, and whoever closes it stops first
  "connection-lost",
  "commit-unknown",
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // the socket of a server that is not up
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Whether Postgres is away or asked for a second try: the environment's failures, which are retried. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return (
    PASSING_CODES.has(code) || (/^[0-9A-Z]{5}$/.test(code) && PASSING_CLASSES.some((kind) => code.startsWith(kind)))
  );
}

/** Passes too, but only when somebody makes room. */
export function isDiskFull(error: unknown): boolean {
  return codeOf(error) === "53100";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Whether the failure came from the connection and not as Postgres' answer. */
export function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error);
  return isPassing(error) && (!/^[0-9A-Z]{5}$/.test(code) || code.startsWith("08") || code.startsWith("57P"));
}
