/** What the health endpoints on loopback answer: `/livez`, `/readyz`, `/status`, `/metrics`. Read-only. */
import type { AgentMetrics } from "./metrics.ts";
import { type AgentStatus, notReadyBecause } from "./status.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = "text/plain; charset=utf-8";

export function healthRoutes(
  status: () => AgentStatus,
  metrics: AgentMetrics,
): Record<string, () => Promise<Answer>> {
  return {
    // Answering at all is what it tells: the event loop turns.
    "/livez": async () => ({ status: 200, type: TEXT, body: "ok\n" }),
    "/readyz": async () => {
      const blocking = notReadyBecause(status());
      if (blocking === undefined) return { status: 200, type: TEXT, body: "ok\n" };
      return { status: 503, type: TEXT, body: `not ready: ${blocking.join(", ")}\n` };
    },
    "/status": async () => ({ status: 200, type: "application/json", body: `${JSON.stringify(status())}\n` }),
    "/metrics": async () => ({ status: 200, type: metrics.contentType, body: await metrics.render(status()) }),
  };
}
