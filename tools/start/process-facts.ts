/** Names a process so that its number, given to another one later, isn't taken for it. */
import { readFileSync } from "node:fs";

export interface ProcessName {
  readonly pid: number;
  /** Clock ticks from boot to its start. */
  readonly startedAt: string;
}

interface ProcessFacts extends ProcessName {
  readonly parent: number;
  readonly command: string;
}

/** Undefined = it has ended; a zombie has. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const stat = statOf(pid);
  const afterName = stat.lastIndexOf(")");
  const [state, parent, ...rest] = stat.slice(afterName + 2).split(" ");
  const startedAt = rest[17];
  if (startedAt === undefined || state === "Z") return undefined;
  return { pid, startedAt, parent: Number(parent), command: stat.slice(stat.indexOf("(") + 1, afterName) };
}

export function isAlive({ pid, startedAt }: ProcessName): boolean {
  return processFacts(pid)?.startedAt === startedAt;
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return ""; // it has ended
  }
}
