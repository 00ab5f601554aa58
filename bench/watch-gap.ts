/** Watches a listed address from a process of its own: for how long would it have been let in? */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Gap {
  readonly longestMs: number;
  /** How often the kernel was asked. */
  readonly asked: number;
}

const PROGRAM = join(import.meta.dirname, "watch-gap.main.ts");

/** Begun when it resolves, in the caller's network namespace. */
export async function watchGap(set: string, address: string): Promise<{ end(): Promise<Gap> }> {
  const child = spawn(process.execPath, [PROGRAM, set, address], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function next(): Promise<string> {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the process that watches for a gap ended");
    return value;
  }
  await next();
  return {
    async end() {
      child.stdin.end();
      return JSON.parse(await next()) as Gap;
    },
  };
}
