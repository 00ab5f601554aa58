/**
 * One bounded request to the outside and its answer. What matters of a failure is whether the other side can have got it:
 * only then may it not simply be sent again.
 */
import { FleetbanError } from "@fleetban/kit/errors";

export interface ExchangeRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Of the answer. */
  readonly maxBytes: number;
  /** For all of it. */
  readonly deadlineMs: number;
}

export interface Answered {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** Follows no redirect: a key goes to one address and nowhere else. Every failure is an ExchangeError. */
export type Exchange = (request: ExchangeRequest, signal: AbortSignal) => Promise<Answered>;

/** `not-sent`: the connection never stood, nobody can have got it. `no-answer`: perhaps they have. */
export type ExchangeErrorCode = "not-sent" | "no-answer";

export class ExchangeError extends FleetbanError {
  declare readonly code: ExchangeErrorCode;

  constructor(code: ExchangeErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}
