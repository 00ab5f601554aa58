/** A line of `get JAIL banip --with-time`: `ID \tBEGIN + SECONDS = END`, in local time. */
import { readLocalTime } from "../log/local-time.ts";

export interface BannedId {
  /** Anything: an address, most of the time. */
  readonly id: string;
  readonly bannedAtMs: number;
  /** -1 = for ever. */
  readonly banSeconds: number;
}

const LINE = /^(.*?) ?\t(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+ (-?\d+) = /s;

export function readBannedLine(line: string): BannedId | undefined {
  const [, id, begin = "", seconds] = LINE.exec(line) ?? [];
  const bannedAtMs = readLocalTime(begin);
  if (id === undefined || bannedAtMs === undefined) return undefined;
  return { id, bannedAtMs, banSeconds: Math.max(-1, Number(seconds)) };
}
