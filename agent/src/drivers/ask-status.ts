/** Asks the running agent for its status document, over its health endpoint on loopback. */
import { FleetbanError } from "@fleetban/kit/errors";
import type { AgentStatus } from "../health/status.ts";

const DEADLINE_MS = 3_000;

export async function askStatus({ host, port }: { host: string; port: number }): Promise<AgentStatus> {
  if (port === 0) {
    throw new FleetbanError("endpoints-off", "health.port is 0: the agent's endpoints are off", {
      hint: "set health.port in agent.yaml to see the agent's status",
    });
  }
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/status`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return (await response.json()) as AgentStatus;
  } catch (cause) {
    throw new FleetbanError("agent-not-running", `no agent answers at ${host}:${port}`, {
      cause,
      hint: "start it with `systemctl start fleetban-agent`, or look why it ended with `journalctl -u fleetban-agent`; in a checkout `npm start` runs one",
    });
  }
}
