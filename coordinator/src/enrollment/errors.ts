/** What can be wrong with a certificate or a token; the driver answers each code with its gRPC status. */
import { FleetbanError } from "@fleetban/kit/errors";

export type CertificateErrorCode = "authority-damaged" | "bad-certificate-request";

export class CertificateError extends FleetbanError {
  constructor(code: CertificateErrorCode, message: string, details: { hint?: string; cause?: unknown } = {}) {
    super(code, message, details);
  }
}

export type EnrollmentErrorCode =
  | "unknown-token"
  | "expired-token"
  | "used-token"
  | "revoked-token"
  | "too-many-attempts"
  | "too-many-certificates"
  | "bad-enrollment";

export class EnrollmentError extends FleetbanError {
  constructor(code: EnrollmentErrorCode, message: string, hint: string) {
    super(code, message, { hint });
  }
}
