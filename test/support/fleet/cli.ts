/** `fleetban`, as an operator runs it, on a coordinator's admin socket. */
import { execFile } from "node:child_process";
import { programPath } from "./programs.ts";

const DEADLINE_MS = 120_000;

export class CliError extends Error {
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(args: readonly string[], exitCode: number | undefined, stderr: string) {
    super(`fleetban ${args.join(" ")}: exit ${exitCode}: ${stderr.trim()}`);
    this.name = "CliError";
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** What it answers with `--json`. Throws a CliError when it fails. */
export async function runCli<Answer>(socket: string, args: readonly string[]): Promise<Answer> {
  return JSON.parse(await runCliText(socket, [...args, "--json"])) as Answer;
}

/** What people see. */
export function runCliText(socket: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(
    programPath("fleetban"),
    ["--socket", socket, ...args],
    { timeout: DEADLINE_MS, maxBuffer: 64 << 20 },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new CliError(args, typeof error.code === "number" ? error.code : undefined, stderr || error.message));
    },
  );
  return promise;
}
