/** Damaged or dishonest bytes: nothing of the message they came in is believed. */
import { FleetbanError } from "@fleetban/kit/errors";

export class WireError extends FleetbanError {
  /** Which part of which message. */
  readonly part: string;

  constructor(part: string, fault: string, more: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(more.code ?? "bad-wire", `${part}: ${fault}`, { cause: more.cause });
    this.part = part;
  }
}
