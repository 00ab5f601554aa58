/** The programs under test: what ships, from dist/, built before when a source has changed. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../../..");

export type ProgramName = "fleetban" | "fleetban-agent" | "fleetban-coordinator";

export function programPath(name: ProgramName): string {
  return join(ROOT, "dist/bin", name);
}

/** The Node that runs us is the pinned one. */
export async function buildPrograms(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, "tools/build.ts"), "--quiet"], { cwd: ROOT });
}
