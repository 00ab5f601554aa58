/** What the ledger refuses an operator, and what it can't answer. */
import { FleetbanError } from "@fleetban/kit/errors";

export type LedgerErrorCode =
  | "protected-prefix"
  | "above-ceiling"
  | "too-many-changes"
  | "unknown-list"
  | "ledger-stopped";

export class LedgerError extends FleetbanError {
  declare readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string, details?: { hint?: string; cause?: unknown }) {
    super(code, message, details);
  }
}
