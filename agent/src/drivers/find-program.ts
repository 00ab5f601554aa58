/** Whether this machine has a program, without starting it: a start takes 10 ms and more, and the agent's own waits for it. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { SYSTEM_PATH } from "./spawn.ts";

export function hasProgram(name: string): boolean {
  return SYSTEM_PATH.split(":").some((folder) => isExecutable(join(folder, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
