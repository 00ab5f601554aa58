/** The trial's state in the data directory: written by `enforce` and by the agent, each whole. */
import { readFileSync, rmSync } from "node:fs";
import { uptime } from "node:os";
import { join } from "node:path";
import { writeFileAtomic } from "@fleetban/kit/drivers/atomic-file";
import { parseTrialState, type TrialState } from "../trial/trial-state.ts";
import { readBootId } from "./boot-id.ts";

const FILE = "enforce.json";
const MODE = 0o600;

export function trialPath(dataDir: string): string {
  return join(dataDir, FILE);
}

export function readTrialState(dataDir: string): TrialState {
  return parseTrialState(textOf(trialPath(dataDir)));
}

export async function writeTrialState(dataDir: string, state: TrialState): Promise<void> {
  if (state.kind === "none") rmSync(trialPath(dataDir), { force: true });
  else await writeFileAtomic(trialPath(dataDir), Buffer.from(`${JSON.stringify(state)}\n`), MODE);
}

/** Of this boot, suspended time included. */
export function machineMoment(): { readonly bootId: string; readonly uptimeMs: number } {
  return { bootId: Buffer.from(readBootId()).toString("hex"), uptimeMs: uptime() * 1_000 };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
