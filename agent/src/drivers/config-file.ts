/** Reads agent.yaml. The default file may be absent (every key has a default), one that was named may not. */
import { readFileSync } from "node:fs";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import { type AgentConfig, readAgentConfig } from "../config.ts";

export const DEFAULT_CONFIG_FILE = "/etc/fleetban/agent.yaml";

export function readConfigFile(file: string | undefined): AgentConfig {
  const path = file ?? DEFAULT_CONFIG_FILE;
  return readAgentConfig(readText(path, file !== undefined), path);
}

function readText(path: string, mustExist: boolean): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" && !mustExist) return "";
    throw new FleetbanError("config-unreadable", `config file ${path}: cannot be read: ${fileProblem(cause)}`, {
      cause,
      hint: code === "ENOENT" ? "name an existing file with --config" : "run the agent as root",
    });
  }
}
