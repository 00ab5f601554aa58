import assert from "node:assert/strict";
import { test } from "node:test";
import { healthRoutes } from "./endpoints.ts";
import { createAgentMetrics } from "./metrics.ts";
import { WELL } from "./status.fixture.ts";
import type { AgentStatus } from "./status.ts";

const request = { url: new URL("http://localhost/"), headers: {} };
const ask = async (path: string, status: AgentStatus) => {
  const answer = await healthRoutes(() => status, createAgentMetrics())[path]?.(request);
  return { status: 200, ...answer, body: String(answer?.body) };
};

test("an agent is ready unless something stands against it, which it names", async () => {
  assert.equal((await ask("/readyz", WELL)).status, 200);
  const warnables = [
    { code: "coordinator-unreachable", sinceMs: 0, detail: "" },
    { code: "not-mirrored", sinceMs: 0, detail: "" },
  ] as const;
  const answer = await ask("/readyz", { ...WELL, warnables });
  assert.equal(answer.status, 503);
  assert.equal(answer.body, "not ready: not-mirrored\n"); // an absent coordinator alone does not make it unready
});

test("metrics name lists and codes, never an address", async () => {
  const warnables = [{ code: "clock-skewed", sinceMs: 0, detail: "" }] as const;
  const { body } = await ask("/metrics", { ...WELL, warnables });
  assert.match(body, /^fleetban_agent_kernel_entries\{list="fleet"\} 12345$/m);
  assert.match(body, /^fleetban_agent_warnable\{code="clock-skewed"\} 1$/m);
  assert.match(body, /^fleetban_agent_sightings_total\{source="fail2ban"\} 3$/m);
});

test("a total that is rendered twice is not counted twice", async () => {
  const metrics = createAgentMetrics();
  await metrics.render(WELL);
  assert.match(await metrics.render(WELL), /^fleetban_agent_sightings_total\{source="fail2ban"\} 3$/m);
});
