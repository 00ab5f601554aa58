/** What the audience sees: one line an event, with the time of day, or with what has passed since the moment that counts. */
const WHERE_WIDTH = 13;

export interface Screen {
  title(text: string): void;
  /** Something that is done or seen now, or at a given moment. */
  at(where: string, what: string, atMs?: number): void;
  /** A consequence: so long after `sinceMs`. */
  after(sinceMs: number, atMs: number, where: string, what: string): void;
  gap(): void;
}

export function createScreen(write: (line: string) => void, nowMs: () => number): Screen {
  const line = (time: string, where: string, what: string) => write(`${time}  ${where.padEnd(WHERE_WIDTH)}${what}`);
  return {
    title: write,
    gap: () => write(""),
    at: (where, what, atMs = nowMs()) => line(clockOf(atMs), where, what),
    after: (sinceMs, atMs, where, what) => line(`+ ${Math.max(0, atMs - sinceMs)} ms`.padStart(12), where, what),
  };
}

/** `09:00:00.123`, local time. */
function clockOf(atMs: number): string {
  const at = new Date(atMs);
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
