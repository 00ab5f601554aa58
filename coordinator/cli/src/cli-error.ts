/** Why a command failed: 1 = it could not be done, 2 = it has to be typed in another way, 3 = an operator has to say yes. */
import { type ErrorDetails, FleetbanError } from "@fleetban/kit/errors";

export type FailedExitCode = 1 | 2 | 3;

export class CliError extends FleetbanError {
  readonly exitCode: FailedExitCode;

  constructor(code: string, message: string, details: ErrorDetails & { exitCode?: FailedExitCode } = {}) {
    super(code, message, details);
    this.exitCode = details.exitCode ?? 1;
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError("usage", message, { exitCode: 2, ...(hint === undefined ? {} : { hint }) });
}
