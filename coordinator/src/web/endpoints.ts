/** The pages of the coordinator for machines: `/livez`, `/readyz`, `/metrics`. */
import type { EndpointHandler } from "@fleetban/kit/drivers/http-endpoints";
import type { Registry } from "prom-client";
import { createGauges } from "./gauges.ts";
import type { Health } from "./health.ts";
import { warnableLines } from "./warnables.ts";

/** For `serveHttp`. */
export function webRoutes(
  health: Pick<Health, "warnables" | "readings">,
  registry: Registry,
): Readonly<Record<string, EndpointHandler>> {
  const refreshGauges = createGauges(registry, () => health.readings());
  return {
    "/livez": () => ({ body: "ok\n" }), // that it answers is the answer
    "/readyz": async () => {
      const warnables = await health.warnables();
      const isReady = warnables.every(({ severity }) => severity !== "not-ready");
      const lines = [isReady ? "ready" : "not ready", ...warnableLines(warnables)];
      return { status: isReady ? 200 : 503, body: `${lines.join("\n")}\n` };
    },
    "/metrics": async () => {
      await refreshGauges();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
