/**
 * Our typed errors as gRPC statuses: the message for people in `details`, code and remedy in the trailing metadata.
 *
 * A database that is away passes by itself: the same call may well succeed soon. Any other error that is not ours is a
 * fault of the program: it is logged whole and answered without its text.
 */

import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import { CODE_KEY, HINT_KEY } from "@fleetban/proto/wire/error-metadata";
import { Metadata, type ServerErrorResponse, status } from "@grpc/grpc-js";
import { isPassing } from "../store/store-error.ts";

const STATUS_BY_CODE: Readonly<Record<string, status>> = {
  "certificate-missing": status.UNAUTHENTICATED,
  "certificate-unknown": status.UNAUTHENTICATED,
  "certificate-expired": status.UNAUTHENTICATED,
  "certificate-wrong-kind": status.PERMISSION_DENIED,
  "certificate-revoked": status.PERMISSION_DENIED,
  "protocol-violation": status.INVALID_ARGUMENT,
  "unknown-token": status.PERMISSION_DENIED,
  "expired-token": status.PERMISSION_DENIED,
  "used-token": status.PERMISSION_DENIED,
  "revoked-token": status.PERMISSION_DENIED,
  "too-many-attempts": status.RESOURCE_EXHAUSTED,
  "too-many-certificates": status.RESOURCE_EXHAUSTED,
  "bad-enrollment": status.INVALID_ARGUMENT,
  "bad-certificate-request": status.INVALID_ARGUMENT,
  "bad-prefix": status.INVALID_ARGUMENT,
  "bad-argument": status.INVALID_ARGUMENT,
  "too-wide": status.INVALID_ARGUMENT,
  "protected-range": status.FAILED_PRECONDITION,
  "protected-address": status.FAILED_PRECONDITION,
  "not-found": status.NOT_FOUND,
  ambiguous: status.FAILED_PRECONDITION,
  "not-possible-now": status.FAILED_PRECONDITION,
  "wrong-certificate": status.PERMISSION_DENIED,
  "protected-prefix": status.FAILED_PRECONDITION,
  "store-closed": status.UNAVAILABLE,
  "ledger-stopped": status.UNAVAILABLE,
};

export function statusOf(error: unknown, log: Log): ServerErrorResponse {
  const known = error instanceof FleetbanError ? error : undefined;
  const code = known === undefined ? undefined : STATUS_BY_CODE[known.code];
  if (code === undefined && isPassing(error)) {
    const message = "the coordinator's database does not answer; try again soon";
    return { name: "Error", message, code: status.UNAVAILABLE, details: message, metadata: codeMetadata("store-away") };
  }
  if (known === undefined || code === undefined) {
    log.error("grpc.call_failed", { error });
    const message = "the coordinator failed at this; its log says why";
    return { name: "Error", message, code: status.INTERNAL, details: message };
  }
  const metadata = codeMetadata(known.code);
  if (known.hint !== undefined) metadata.set(HINT_KEY, Buffer.from(known.hint, "utf8"));
  return { name: known.name, message: known.message, code, details: known.message, metadata };
}

function codeMetadata(code: string): Metadata {
  const metadata = new Metadata();
  metadata.set(CODE_KEY, code);
  return metadata;
}
