/** agent.yaml as one frozen record; every mistake in it is told at once. */
import { type ConfigOf, readConfig } from "@fleetban/kit/config";
import { AGENT_CONFIG } from "./config-table.ts";

export type AgentConfig = ConfigOf<typeof AGENT_CONFIG>;

export function readAgentConfig(text: string, file: string): AgentConfig {
  return readConfig(text, file, AGENT_CONFIG);
}
