/** Values of options, from text to what a request takes; a mistake is a usage error with its remedy. */

import { DurationError, parseDurationSeconds } from "@fleetban/kit/duration";
import { InvalidArgumentError } from "commander";

export function durationSeconds(text: string): number {
  try {
    const seconds = parseDurationSeconds(text);
    if (seconds > 0) return seconds;
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    throw new InvalidArgumentError(error.hint ?? error.message);
  }
  throw new InvalidArgumentError("must be longer than nothing");
}

export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  throw new InvalidArgumentError("must be a whole number above 0");
}
