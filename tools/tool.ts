/** Runs the programs of the toolchain (tsc, biome, buf, …) and says where things are in the checkout. */
import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";

export const ROOT = dirname(import.meta.dirname);
export const PROTO = join(ROOT, "proto");

export interface ToolResult {
  readonly exit: number;
  /** What it wrote to both streams, in the order it came. */
  readonly output: string;
}

export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a tool with its output shown; a failure is an error. */
export async function runTool(program: string, args: readonly string[], options: ToolOptions = {}): Promise<void> {
  const { exit, output } = await captureTool(program, args, options);
  process.stderr.write(output);
  if (exit !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${exit}`);
}

/** Runs a tool to its end, whatever that is. */
export function captureTool(
  program: string,
  args: readonly string[],
  { cwd = ROOT, env = {} }: ToolOptions = {},
): Promise<ToolResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ToolResult>();
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env, PATH: toolPath() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.push(chunk));
  child.once("error", reject);
  child.once("close", (code) => resolve({ exit: code ?? 1, output: Buffer.concat(output).toString() }));
  return promise;
}

function toolPath(): string {
  const folders = [dirname(process.execPath), join(ROOT, "node_modules", ".bin"), process.env.PATH ?? ""];
  return folders.join(delimiter);
}
