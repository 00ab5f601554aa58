/** An operator's mistake, answered with the remedy; the driver answers each code with its gRPC status. */
import { type ErrorDetails, FleetbanError } from "@fleetban/kit/errors";

export type AdminErrorCode =
  | "bad-argument"
  | "too-wide"
  | "protected-range"
  | "protected-address"
  | "not-found"
  | "ambiguous"
  | "not-possible-now"
  | "wrong-certificate";

export class AdminError extends FleetbanError {
  declare readonly code: AdminErrorCode;

  constructor(code: AdminErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}
