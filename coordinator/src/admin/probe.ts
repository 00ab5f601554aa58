/**
 * Probes agents end to end: a documentation address goes into the agent's kernel, is tested and taken out again.
 *
 * The agent measures its own hops; what remains of the round trip is the network and the stream.
 */
import type { AgentProbe, ProbeAgentsRequest } from "@fleetban/proto/wire/admin";
import type { Agent } from "../fleet/agent.ts";
import type { ProbeAnswer } from "../fleet/agent-stream.ts";
import type { Agents } from "./agents.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";
import { insertProbe, NO_HOPS } from "./probe-queries.ts";

const TIMEOUT_MS = 5_000;
const TIMEOUT_MAX_MS = 60_000;
/** So many agents are asked at once; a fleet of 10,000 is asked in a few minutes without a burst. */
const AT_ONCE = 64;

export async function* probeAgents(
  parts: AdminParts,
  agents: Agents,
  request: ProbeAgentsRequest,
): AsyncGenerator<AgentProbe, void> {
  const wanted = await wantedAgents(parts, agents, request.agent);
  const timeoutMs = Math.min(request.timeoutMs || TIMEOUT_MS, TIMEOUT_MAX_MS);
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const asked = wanted.slice(at, at + AT_ONCE).map((agent) => probeOne(parts, agent, timeoutMs));
    for (const probe of asked) yield await probe;
  }
}

async function wantedAgents({ fleet }: AdminParts, agents: Agents, named: string): Promise<readonly Agent[]> {
  const online = [...fleet.online()].sort((a, b) => a.name.localeCompare(b.name));
  if (named === "") {
    if (online.length > 0) return online;
    throw new AdminError("not-possible-now", "no agent is online", { hint: "`fleetban agents list` shows why" });
  }
  const { agentNo, name } = await agents.find(named);
  const agent = online.find((one) => one.agentNo === agentNo);
  if (agent !== undefined) return [agent];
  throw new AdminError("not-possible-now", `agent ${name}: is not connected to this coordinator`, {
    hint: "look at it there: fleetban-agent status",
  });
}

async function probeOne(parts: AdminParts, agent: Agent, timeoutMs: number): Promise<AgentProbe> {
  const address = parts.fleet.nextProbeAddress();
  const probedAtMs = Math.round(parts.clock.nowMs());
  const answer = await parts.fleet.probe(agent.agentNo, address, timeoutMs);
  const outcome = answer === undefined ? "no-answer" : answer.result.error === "" ? "passed" : "failed";
  parts.metrics.probe(outcome);
  const { agentId, agentNo, name } = agent;
  const probe = { agentId, name, address, probedAtMs, ...hopsOf(answer, timeoutMs) };
  await insertProbe(parts.store.sql, agentNo, probe, answer !== undefined).catch((error: unknown) => {
    parts.log.warn("admin.probe_not_kept", { agent: name, error }); // what was found is told all the same
  });
  return probe;
}

function hopsOf(answer: ProbeAnswer | undefined, timeoutMs: number) {
  if (answer === undefined) return { error: `no answer within ${timeoutMs} ms`, ...NO_HOPS };
  const { result, roundTripUs } = answer;
  const { error, addedUs, testedUs, removedUs, backend, rulePresent } = result;
  const networkUs = Math.max(0, roundTripUs - addedUs - testedUs - removedUs);
  return { error, networkUs, addedUs, testedUs, removedUs, totalUs: roundTripUs, backend, rulePresent };
}
