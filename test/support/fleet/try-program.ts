/** Runs one of our programs to its end, whatever that is: what it says and how it exits is what is looked at. */
import { execFile } from "node:child_process";
import type { Host } from "./host.ts";
import { type ProgramName, programPath } from "./programs.ts";

export interface Ending {
  /** Undefined = it was still running at the deadline, and killed. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TryOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the program, such as setpriv's. */
  readonly through?: readonly string[];
}

const DEADLINE_MS = 90_000;

export function tryProgram(
  host: Host,
  name: ProgramName,
  args: readonly string[],
  { env = {}, through = [] }: TryOptions = {},
): Promise<Ending> {
  const command = ["netns", "exec", host.namespace, ...through, programPath(name), ...args];
  const options = { timeout: DEADLINE_MS, killSignal: "SIGKILL" as const, env: { ...process.env, ...env } };
  return new Promise((resolve) => {
    execFile("ip", command, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
      resolve({ exitCode, stdout, stderr });
    });
  });
}
