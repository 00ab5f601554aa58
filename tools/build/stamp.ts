/** Tells whether the inputs are those that dist/ was last made from: by path, size and time, not by reading them. */
import { createHash } from "node:crypto";
import { glob, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../tool.ts";
import { INPUTS } from "./programs.ts";

export async function stampOfInputs(): Promise<string> {
  const exclude = (path: string) => /(^|\/)node_modules$|\.(test|fixture)\.ts$/.test(path);
  const paths = await Array.fromAsync(glob(INPUTS, { cwd: ROOT, exclude }));
  const stats = await Promise.all(paths.map((path) => stat(join(ROOT, path))));
  const lines = paths.map((path, index) => `${path} ${stats[index]?.size} ${stats[index]?.mtimeMs}`);
  return createHash("sha256")
    .update([process.arch, ...lines.sort()].join("\n"))
    .digest("hex");
}

export async function readStamp(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined); // absent = stale
}
