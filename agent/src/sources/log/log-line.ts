/** What a line of fail2ban.log says. Most say nothing that matters here, and some are tracebacks: ignored. */
import { readLocalTime } from "./local-time.ts";

export type LogLine =
  | { readonly kind: "ban" | "restored" | "end"; readonly atMs: number; readonly jail: string; readonly id: string }
  | {
      readonly kind: "prolong";
      readonly atMs: number;
      readonly jail: string;
      readonly id: string;
      readonly banCount: number;
      /** `undefined` = for ever. */
      readonly untilMs: number | undefined;
    }
  /** What is unbanned around it is not pardoned. */
  | { readonly kind: "stop"; readonly atMs: number; readonly jail: string | undefined }
  /** The server's, or a jail's: what is unbanned from now on is of no stop. */
  | { readonly kind: "start"; readonly atMs: number; readonly jail: string | undefined };

const PREFIX = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) fail2ban\.\w+\s+\[\d+\]: [A-Z]+\s+(.*)$/s;
const ACT = /^\[([^\]]+)\] (Ban|Restore Ban|Unban|Repeal Ban) ?(.*)$/s;
const PROLONG = /^\[([^\]]+)\] Increase Ban (\S+) \((\d+) # .+ -> (.+)\)$/s;
const FLUSH = /^\[([^\]]+)\] Flush ticket\(s\) with /;
const JAIL_STOPPED = /^Jail '(.+)' stopped$/s;
const JAIL_STARTED = /^Jail '(.+)' started$/s;
const STARTING = /^Starting Fail2ban v/;
const SHUTDOWN = /^(?:Shutdown in progress\.\.\.|Exiting Fail2ban)/;

/** `afterMs`: the time of the line before. */
export function readLogLine(line: string, afterMs?: number): LogLine | undefined {
  const [, time = "", thousandths = "", message = ""] = PREFIX.exec(line) ?? [];
  const secondMs = readLocalTime(time, afterMs);
  if (secondMs === undefined) return undefined;
  const atMs = secondMs + Number(thousandths);
  return readAct(message, atMs) ?? readProlong(message, atMs) ?? readStop(message, atMs) ?? readStart(message, atMs);
}

function readAct(message: string, atMs: number): LogLine | undefined {
  const [, jail, word, id = ""] = ACT.exec(message) ?? [];
  if (jail === undefined) return undefined;
  if (word === "Repeal Ban") return { kind: "stop", atMs, jail };
  const kind = word === "Ban" ? "ban" : word === "Unban" ? "end" : "restored";
  return { kind, atMs, jail, id };
}

function readProlong(message: string, atMs: number): LogLine | undefined {
  const [, jail, id, banCount, until = ""] = PROLONG.exec(message) ?? [];
  if (jail === undefined || id === undefined) return undefined;
  return { kind: "prolong", atMs, jail, id, banCount: Number(banCount), untilMs: readLocalTime(until, atMs) };
}

function readStop(message: string, atMs: number): LogLine | undefined {
  if (SHUTDOWN.test(message)) return { kind: "stop", atMs, jail: undefined };
  const jail = FLUSH.exec(message)?.[1] ?? JAIL_STOPPED.exec(message)?.[1];
  return jail === undefined ? undefined : { kind: "stop", atMs, jail };
}

function readStart(message: string, atMs: number): LogLine | undefined {
  if (STARTING.test(message)) return { kind: "start", atMs, jail: undefined };
  const jail = JAIL_STARTED.exec(message)?.[1];
  return jail === undefined ? undefined : { kind: "start", atMs, jail };
}
