/** Makes this machine's agent a member of the coordinator beside it, once, by the same commands that an operator would type. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layout } from "./layout.ts";
import { runProgram } from "./run-program.ts";

const TOKEN_VALID = "10m";

/** An identity that this coordinator knows nothing of (its data was deleted) is replaced. */
export async function ensureEnrolled(layout: Layout, tell: (text: string) => void): Promise<void> {
  const agentId = await identityOf(layout);
  if (agentId !== undefined && (await isKnown(layout, agentId))) return;
  tell("enrolling this machine's agent …");
  const wish = ["enrollments", "create", "--valid", TOKEN_VALID, "--reason", "npm start", "--json"];
  const { token } = JSON.parse(await fleetban(layout, wish)) as { token: string };
  await runProgram("fleetban-agent", ["enroll", token, "--config", layout.agent.config, "--force"]);
}

async function identityOf({ agent }: Layout): Promise<string | undefined> {
  try {
    const identity = JSON.parse(await readFile(join(agent.dataDir, "identity.json"), "utf8")) as { agentId: string };
    return identity.agentId;
  } catch {
    return undefined; // none yet, or damaged: a new one costs nothing here
  }
}

async function isKnown(layout: Layout, agentId: string): Promise<boolean> {
  const agents = JSON.parse(await fleetban(layout, ["agents", "list", "--json"])) as { agent_id: string }[];
  return agents.some((agent) => agent.agent_id === agentId);
}

function fleetban(layout: Layout, args: readonly string[]): Promise<string> {
  return runProgram("fleetban", ["--socket", layout.adminSocket, ...args]);
}
