/** The one base of all typed errors: a stable kebab-case `code` to decide by, a message for people, a remedy. */

export interface ErrorDetails {
  /** What to do about it, for a line of its own. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class FleetbanError extends Error {
  readonly code: string;
  readonly hint?: string;

  constructor(code: string, message: string, { hint, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    if (hint !== undefined) this.hint = hint;
  }
}

/** For the `default` of a switch over a closed union: the compiler refuses it while a kind is missing. */
export function assertNever(value: never): never {
  throw new Error(`internal error: unexpected ${JSON.stringify(value)}`);
}
