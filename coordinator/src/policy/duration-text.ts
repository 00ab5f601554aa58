/** Durations inside lists of texts, which the reader of the file takes as texts. */
import { DurationError, parseDurationSeconds } from "@fleetban/kit/duration";

/** Undefined = it is none. */
export function durationSeconds(text: string): number | undefined {
  try {
    const seconds = parseDurationSeconds(text);
    return seconds > 0 ? seconds : undefined;
  } catch (error) {
    if (error instanceof DurationError) return undefined; // told with the key's name by the caller
    throw error;
  }
}
