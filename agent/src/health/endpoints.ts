/** What the health endpoints on loopback answer: `/livez`, `/readyz`, `/status`, `/metrics`. Read-only. */
import type { EndpointHandler } from "@fleetban/kit/drivers/http-endpoints";
import type { AgentMetrics } from "./metrics.ts";
import { type AgentStatus, notReadyBecause } from "./status.ts";

export function healthRoutes(status: () => AgentStatus, metrics: AgentMetrics): Record<string, EndpointHandler> {
  return {
    // Answering at all is what it tells: the event loop turns.
    "/livez": () => ({ body: "ok\n" }),
    "/readyz": () => {
      const blocking = notReadyBecause(status());
      if (blocking === undefined) return { body: "ok\n" };
      return { status: 503, body: `not ready: ${blocking.join(", ")}\n` };
    },
    "/status": () => ({ contentType: "application/json", body: `${JSON.stringify(status())}\n` }),
    "/metrics": async () => ({ contentType: metrics.contentType, body: await metrics.render(status()) }),
  };
}
