/**
 * One JSON line an event: `{"at":…,"level":…,"event":"room.past_tense",…facts}`.
 *
 * The event's name is constant and facts stand in fields, so that a log can be counted and searched by machine.
 */
import type { Clock } from "./clock.ts";

export type LogFacts = Readonly<Record<string, unknown>>;

/** `error` = somebody must act, `warn` = look at it, `info` = a state changed. */
export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  debug(event: string, facts?: LogFacts): void;
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
  /** The same log with these facts in every line. */
  with(facts: LogFacts): Log;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Lines below `level` are dropped. `write` gets a line without its line feed. */
export function createLog(write: (line: string) => void, clock: Pick<Clock, "nowMs">, level: LogLevel): Log {
  const least = LEVELS.indexOf(level);
  return logOver((lineLevel, event, facts) => {
    if (LEVELS.indexOf(lineLevel) < least) return;
    const at = new Date(clock.nowMs()).toISOString();
    write(lineOf({ at, level: lineLevel, event }, facts));
  }, {});
}

export const silentLog: Log = logOver(() => undefined, {});

type Emit = (level: LogLevel, event: string, facts: LogFacts) => void;

function logOver(emit: Emit, fixed: LogFacts): Log {
  return {
    debug: (event, facts) => emit("debug", event, { ...fixed, ...facts }),
    info: (event, facts) => emit("info", event, { ...fixed, ...facts }),
    warn: (event, facts) => emit("warn", event, { ...fixed, ...facts }),
    error: (event, facts) => emit("error", event, { ...fixed, ...facts }),
    with: (facts) => logOver(emit, { ...fixed, ...facts }),
  };
}

/** A log line never throws: facts that can't be written (a cycle) are left out, and the line says so. */
function lineOf(head: LogFacts, facts: LogFacts): string {
  try {
    return JSON.stringify({ ...head, ...facts }, plainValue);
  } catch (error) {
    return JSON.stringify({ ...head, unwritable: error }, plainValue);
  }
}

/** What JSON has no form for: an error becomes its code, message, hint and cause; a bigint its digits; bytes hex. */
function plainValue(this: Record<string, unknown>, key: string, converted: unknown): unknown {
  const value = this[key]; // not `converted`, where a Buffer has become a list of numbers
  if (value instanceof Error) {
    return { code: codeOf(value), message: value.message, hint: hintOf(value), cause: value.cause };
  }
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : converted;
}

function hintOf(error: Error): unknown {
  return "hint" in error ? error.hint : undefined;
}

function codeOf(error: Error): unknown {
  return "code" in error ? error.code : undefined;
}
