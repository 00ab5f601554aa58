/** Values of options, from text to what a request takes; a mistake is a usage error with its remedy. */

import { DurationError, parseDurationSeconds } from "@fleetban/kit/duration";
import { MAX_RANK } from "@fleetban/proto/model/listing";
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

/** A date is the beginning of that day, UTC. */
export function moment(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const atMs = isDate ? Date.parse(`${text}T00:00:00Z`) : isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError("write it like 2026-12-31 (UTC) or 2026-12-31T18:00:00Z");
  return atMs;
}

export function rankNumber(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= MAX_RANK) return Number(text);
  throw new InvalidArgumentError(`must be 0 to ${MAX_RANK}`);
}

export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  throw new InvalidArgumentError("must be a whole number above 0");
}
