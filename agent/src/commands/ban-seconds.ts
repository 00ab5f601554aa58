import { parseDurationSeconds } from "@fleetban/kit/duration";

const FOREVER = "forever";

/** Of `--for`; -1 = for ever. Throws DurationError. */
export function banSeconds(text: string): number {
  return text === FOREVER ? -1 : Math.max(1, parseDurationSeconds(text));
}
