/** Bounds of what an operator may pass beside the prefix. */
import { formatDuration } from "@fleetban/kit/duration";
import { AdminError } from "./errors.ts";

const REASON_MAX_CHARACTERS = 500;
const SECONDS_MAX = 10 * 365 * 86_400;
const WAIT_MAX_MS = 10 * 60_000;

/** One line, as it will stand in the audit log. */
export function checkReason(reason: string): string {
  const line = reason.trim();
  if (line.length > REASON_MAX_CHARACTERS) {
    throw new AdminError("bad-argument", `reason of ${line.length} characters: at most ${REASON_MAX_CHARACTERS}`);
  }
  if (/\p{Cc}/u.test(line)) {
    throw new AdminError("bad-argument", "reason: has control characters", { hint: "write it in one line" });
  }
  return line;
}

export function checkSeconds(seconds: number): number {
  if (seconds <= SECONDS_MAX) return seconds;
  throw new AdminError("bad-argument", `a time of ${formatDuration(seconds)}: is longer than ten years`, {
    hint: "name a shorter one; without --for a ban or an allow is open-ended",
  });
}

export function checkWait(waitMs: number): number {
  return Math.min(waitMs, WAIT_MAX_MS);
}
