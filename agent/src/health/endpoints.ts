/** What the health endpoints on loopback answer: `/livez`, `/readyz`, `/status`, `/metrics`. Read-only. */
import type { EndpointAnswer, EndpointHandler } from "@fleetban/kit/drivers/http-endpoints";
import type { AgentMetrics } from "./metrics.ts";
import { type AgentStatus, notReadyBecause } from "./status.ts";

const STARTING: EndpointAnswer = { status: 503, body: "starting\n" };

/** `status` is undefined until the agent is open. */
export function healthRoutes(
  status: () => AgentStatus | undefined,
  metrics: AgentMetrics,
): Record<string, EndpointHandler> {
  const whenOpen = (answer: (now: AgentStatus) => EndpointAnswer | Promise<EndpointAnswer>) => () => {
    const now = status();
    return now === undefined ? STARTING : answer(now);
  };
  return {
    // Answering at all is what it tells: the event loop turns.
    "/livez": () => ({ body: "ok\n" }),
    "/readyz": whenOpen((now) => {
      const blocking = notReadyBecause(now);
      if (blocking === undefined) return { body: "ok\n" };
      return { status: 503, body: `not ready: ${blocking.join(", ")}\n` };
    }),
    "/status": whenOpen((now) => ({ contentType: "application/json", body: `${JSON.stringify(now)}\n` })),
    "/metrics": whenOpen(async (now) => ({ contentType: metrics.contentType, body: await metrics.render(now) })),
  };
}
