/** Runs one of our programs from dist/ to its end; what it complains of becomes the error. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../tool.ts";
import { StartError } from "./start-error.ts";

const DEADLINE_MS = 30_000;

export function programPath(name: string): string {
  return join(ROOT, "dist/bin", name);
}

/** Resolves with its stdout. */
export function runProgram(name: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(programPath(name), args, { timeout: DEADLINE_MS }, (error, stdout, stderr) => {
    if (error === null) return resolve(stdout);
    const said = stderr
      .trim()
      .replaceAll(/^fleetban(-agent)?: (error: )?/gm, "")
      .replaceAll("\n", "; ");
    reject(new StartError("program-ended", said === "" ? error.message : `${name}: ${said}`, { cause: error }));
  });
  return promise;
}
