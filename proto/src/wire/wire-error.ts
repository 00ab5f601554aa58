/** Damaged or dishonest bytes: nothing of the message they came in is believed. */
import { FleetbanError } from "@fleetban/kit/errors";

export class WireError extends FleetbanError {
  /** Which part of which message. */
  readonly part: string;

  constructor(part: string, fault: string, cause?: unknown) {
    super("bad-wire", `${part}: ${fault}`, { cause });
    this.part = part;
  }
}
