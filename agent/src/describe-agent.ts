/** The agent's state as one document, put together from what each room says of itself. */

import type { Firewall } from "./firewall/firewall.ts";
import type { FirewallState, ListFirewallState } from "./firewall/firewall-state.ts";
import type { AgentStatus, ListStatus } from "./health/status.ts";
import type { RaisedWarnable } from "./health/warnables.ts";
import type { HitCounting } from "./hits/hits.ts";
import type { LinkState } from "./link/state.ts";
import type { Mirror } from "./mirror/mirror.ts";
import type { Intake } from "./sources/intake.ts";
import type { Spool } from "./spool/spool.ts";

export interface DescribedRooms {
  readonly firewall: Pick<Firewall, "state">;
  readonly mirror: Mirror;
  readonly spool: Spool;
  readonly intake: Intake;
  readonly hits: Pick<HitCounting, "isCounting" | "totals">;
}

/** What the outermost file knows. */
export interface DescribedFacts {
  readonly version: string;
  readonly name: string;
  readonly agentId: string | undefined;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly link: LinkState;
  readonly clockSkewMs: number | undefined;
  readonly certificateEndsAtMs: number | undefined;
  readonly protectedSessions: number;
  readonly enforcing: AgentStatus["enforcing"];
  readonly warnables: readonly RaisedWarnable[];
}

export function describeAgent(rooms: DescribedRooms, facts: DescribedFacts): AgentStatus {
  const { firewall, mirror, spool, intake, hits } = rooms;
  const state = firewall.state();
  return {
    ...facts,
    lists: state.lists.filter(({ withdrawn }) => !withdrawn).map((list) => describeList(mirror, list)),
    firewall: describeFirewall(state),
    spool: { sightings: spool.size, oldestMs: spool.oldestMs ?? 0, lost: spool.lost },
    hits: { isCounting: hits.isCounting, byList: Object.fromEntries(hits.totals()) },
    sightingsBySource: Object.fromEntries([...intake.counts].map(([source, { told }]) => [source, told])),
  };
}

function describeList(mirror: Mirror, state: ListFirewallState): ListStatus {
  const held = mirror.get(state.list)?.held;
  return {
    name: state.name,
    effect: state.effect,
    revision: held?.revision ?? 0,
    enforcedRevision: state.revision ?? 0,
    digest: held?.blocklist.digest.toString(16).padStart(32, "0") ?? "",
    listings: held?.blocklist.size ?? 0,
    kernelEntries: state.kernelEntries,
    leftOut: state.leftOut,
    kept: state.kept,
    refused: state.refused,
    unsupported: state.unsupported,
    checkedAtMs: state.lastCheckedAtMs,
  };
}

function describeFirewall(state: FirewallState): AgentStatus["firewall"] {
  const { rules, drift } = state;
  return {
    backend: state.backend,
    via: state.via,
    rules: rules.kind === "present" ? "present" : `${rules.kind}: ${rules.what}`,
    ownEntries: state.ownEntries,
    localEntries: state.localEntries,
    batchEntries: state.batchEntries,
    applyP99Us: state.applyP99Us,
    driftEntries: drift.entries,
    driftSets: drift.sets,
    driftRules: drift.rules,
  };
}
