/** What a process weighs, as the kernel counts it. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

export interface Memory {
  /** All of its pages that are in memory, those included that it shares with others. */
  readonly rssMb: number;
  /** What is really its own: pages that no file stands behind. */
  readonly anonMb: number;
  /** Shared pages divided by those who share them. */
  readonly pssMb: number;
}

const KB_A_MB = 1_024;
const STEADY_MB = 0.25;
const STEADY_FOR_MS = 3_000;
const LOOK_EVERY_MS = 250;

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / KB_A_MB;
  return { rssMb: mb("Rss"), anonMb: mb("Anonymous"), pssMb: mb("Pss") };
}

/** When it has neither grown nor shrunk for a while; what it is after `deadlineMs` at the latest. */
export async function steadyMemoryOf(pid: number, deadlineMs: number): Promise<Memory> {
  const endMs = performance.now() + deadlineMs;
  let last = memoryOf(pid);
  for (let sinceMs = performance.now(); performance.now() - sinceMs < STEADY_FOR_MS && performance.now() < endMs; ) {
    await pause(LOOK_EVERY_MS);
    const now = memoryOf(pid);
    if (Math.abs(now.rssMb - last.rssMb) < STEADY_MB) continue;
    last = now;
    sinceMs = performance.now();
  }
  return memoryOf(pid);
}

/** Its children and theirs. */
export function descendantsOf(pid: number): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const children = pids.map(Number).filter((other) => parentOf(other) === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined; // ended meanwhile
  }
}
