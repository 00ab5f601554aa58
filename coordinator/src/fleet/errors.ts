/** Why an agent's call or stream is refused; the driver answers each code with its gRPC status. */
import { FleetbanError } from "@fleetban/kit/errors";

export type FleetErrorCode =
  | "certificate-missing"
  | "certificate-wrong-kind"
  | "certificate-unknown"
  | "certificate-revoked"
  | "certificate-expired"
  | "protocol-violation";

export class FleetError extends FleetbanError {
  constructor(code: FleetErrorCode, message: string, hint?: string) {
    super(code, message, hint === undefined ? {} : { hint });
  }
}

/** What a peer of the right version never does: it ends the stream. */
export function violation(problem: string): FleetError {
  return new FleetError("protocol-violation", `protocol violation: ${problem}`);
}
