/**
 * Looks after a trial at the agents that are connected to this replica: an agent whose kernel fails a probe, or on which
 * somebody logs in successfully from an address that the trial lists, is an alarm, and the trial goes back by itself.
 *
 * One probe that is not answered may be a restart; the second in a row is an alarm, too.
 */
import type { Clock } from "@fleetban/kit/clock";
import { LIST_TRIAL } from "@fleetban/proto/model/listing";
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { StoredPolicy } from "./stored-policy.ts";

export interface AlarmParts {
  readonly fleet: Pick<Fleet, "online" | "probe" | "nextProbeAddress" | "reported">;
  readonly ledger: Pick<Ledger, "covering">;
  readonly clock: Clock;
}

export interface TrialAlarms {
  /** What is wrong now, in a sentence; undefined = nothing. */
  look(policy: StoredPolicy): Promise<string | undefined>;
}

const LOGIN_FROM_LISTED = "login-from-listed";
const PROBE_EVERY_MS = 30_000;
const PROBE_WITHIN_MS = 10_000;
const UNANSWERED_MAX = 2;

export function createTrialAlarms({ fleet, ledger, clock }: AlarmParts): TrialAlarms {
  const unanswered = new Map<number, number>();
  let probedAtMs = Number.NEGATIVE_INFINITY;
  let watched: number | undefined;

  async function probeOne(agent: Agent): Promise<string | undefined> {
    const answer = await fleet.probe(agent.agentNo, fleet.nextProbeAddress(), PROBE_WITHIN_MS);
    if (answer !== undefined) {
      unanswered.delete(agent.agentNo);
      const { error } = answer.result;
      return error === "" ? undefined : `the probe of ${agent.name} failed: ${error}`;
    }
    if (!fleet.online().some(({ agentNo }) => agentNo === agent.agentNo)) return undefined; // its stream ended meanwhile
    const count = 1 + (unanswered.get(agent.agentNo) ?? 0);
    unanswered.set(agent.agentNo, count);
    return count >= UNANSWERED_MAX ? `${agent.name} did not answer ${count} probes in a row` : undefined;
  }

  async function probeDue(agents: readonly Agent[]): Promise<string | undefined> {
    if (clock.monotonicMs() - probedAtMs < PROBE_EVERY_MS) return undefined;
    probedAtMs = clock.monotonicMs();
    const problems = await Promise.all(agents.map(probeOne)); // a canary group is small, and its agents are asked at once
    return problems.find((problem) => problem !== undefined);
  }

  /** The agent tells the addresses; whether the trial lists one is known here. */
  function loginOn(agent: Agent): string | undefined {
    const raised = fleet.reported.find(agent.agentNo)?.health?.warnables ?? [];
    for (const { code, detail } of raised) {
      if (code !== LOGIN_FROM_LISTED) continue;
      const addresses = detail.split(", ").flatMap((text) => tryParsePrefix(text) ?? []);
      const listed = addresses.find((address) => ledger.covering(address).some(({ list }) => list === LIST_TRIAL));
      if (listed !== undefined) return `somebody logged in on ${agent.name} from ${listed}, which the trial lists`;
    }
    return undefined;
  }

  return {
    async look(policy) {
      if (policy.policyNo !== watched) {
        watched = policy.policyNo;
        probedAtMs = clock.monotonicMs(); // its entries are on their way yet
        unanswered.clear();
      }
      const agents = fleet.online().filter(({ group }) => group.name === policy.canary?.group);
      for (const agent of agents) {
        const login = loginOn(agent);
        if (login !== undefined) return login;
      }
      return probeDue(agents);
    },
  };
}
