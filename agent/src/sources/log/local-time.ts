/**
 * fail2ban logs local time without its zone: in the hour that a clock is set back, one text names two moments.
 *
 * A log goes forward, so of the two it is the first that is not before the line before.
 */

const TEXT = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/;
/** Clocks are set back by an hour, in one place by half of one. */
const SHIFTS_MS = [-3_600_000, -1_800_000, 0, 1_800_000, 3_600_000];
const JITTER_MS = 2_000;

/** Unix milliseconds; `undefined` when the text is no time. `afterMs` = the line before, if there is one. */
export function readLocalTime(text: string, afterMs?: number): number | undefined {
  const [, year, month, day, hour, minute, second] = (TEXT.exec(text) ?? []).map(Number);
  if (year === undefined || month === undefined) return undefined;
  const usualMs = new Date(year, month - 1, day, hour, minute, second).getTime();
  if (Number.isNaN(usualMs) || afterMs === undefined) return usualMs || undefined;
  const moments = SHIFTS_MS.map((shiftMs) => usualMs + shiftMs).filter((atMs) => isSameText(atMs, usualMs));
  return moments.find((atMs) => atMs >= afterMs - JITTER_MS) ?? moments.at(-1);
}

function isSameText(atMs: number, otherMs: number): boolean {
  const [one, other] = [new Date(atMs), new Date(otherMs)];
  return one.getHours() === other.getHours() && one.getMinutes() === other.getMinutes();
}
