/** What this thread has had of a core, and how long it had work and no core: a quota was used up, or others were before it. */
import { openSync, readSync } from "node:fs";
import type { CoreUse } from "../background.ts";

const FILE = "/proc/thread-self/schedstat";
const BYTES = 128;
const NS_A_MS = 1e6;

/** Of the thread that calls it. Undefined where the kernel doesn't count it. */
export function createCoreUse(): () => CoreUse | undefined {
  const file = open();
  const bytes = Buffer.alloc(BYTES);
  return () => {
    if (file === undefined) return undefined;
    const length = readSync(file, bytes, 0, BYTES, 0);
    const [computedNs = 0, waitedNs = 0] = bytes.toString("latin1", 0, length).split(" ").map(Number);
    return { computedMs: computedNs / NS_A_MS, waitedMs: waitedNs / NS_A_MS };
  };
}

function open(): number | undefined {
  try {
    return openSync(FILE, "r");
  } catch {
    return undefined;
  }
}
