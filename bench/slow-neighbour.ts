/** Another program under the same share of a core: how late does it wake up? */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CpuLimit } from "./slow-cpu-limit.ts";

const PROGRAM = join(import.meta.dirname, "slow-neighbour.main.ts");

/** Begun when it resolves. `end` gives the milliseconds by which each of its sleeps was too long. */
export async function startNeighbour(limit: CpuLimit): Promise<{ end(): Promise<readonly number[]> }> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function next(): Promise<string> {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the neighbouring process ended");
    return value;
  }
  await next();
  const pid = child.pid ?? 0;
  limit.add(pid);
  return {
    async end() {
      limit.release(pid); // to tell what it saw takes longer than the seeing
      child.stdin.end();
      return JSON.parse(await next()) as number[];
    },
  };
}
