/**
 * What agents say of themselves: what their kernels hold of each list, how they are, what they dropped.
 *
 * Kept in memory for the streams of this replica; what changed is written in one batch each 10 s to an unlogged table,
 * because after a crash the agents simply say it again. Whoever waits for a revision to arrive everywhere is told here.
 */
import type { Digest } from "@fleetban/proto/model/digest";
import type { Epoch, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Line } from "@fleetban/proto/wire/fleet";

/** From an `Applied`. */
export interface AppliedList {
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly kernelDigest: Digest | undefined;
  readonly mirrorDigest: Digest | undefined;
  readonly kernelEntries: number;
  readonly leftOut: number;
  readonly kept: number;
  readonly refused: number;
  readonly line: Line | undefined;
  /** Ledger's clock; 0 = never read back. */
  readonly checkedAtMs: number;
  readonly isUnsupported: boolean;
}

export interface AgentWarnable {
  readonly code: string;
  readonly sinceMs: number;
  /** Facts of this case; empty = none. */
  readonly detail: string;
}

/** From a `Health`. */
export interface AgentHealth {
  readonly warnables: readonly AgentWarnable[];
  readonly spoolSightings: number;
  readonly lostSightings: number;
  readonly clockSkewMs: number;
  readonly ownEntries: number;
  readonly localEntries: number;
  readonly applyP99Us: number;
  /** Its kernel counts packets. */
  readonly countsHits: boolean;
}

/** From a `Hello`. */
export interface AgentFacts {
  readonly programVersion: string;
  readonly backend: string;
  readonly capacityEntries: number;
  readonly bootId: string;
  readonly features: readonly number[];
  readonly clockSkewMs: number;
}

export interface ReportedAgent {
  readonly agentNo: number;
  lastSeenAtMs: number;
  facts: AgentFacts | undefined;
  health: AgentHealth | undefined;
  /** Set by this replica, beside what the agent says itself. */
  readonly ownWarnables: Map<string, number>;
  /** When its mirrors were found different, within the last hour. */
  differedAtMs: number[];
  readonly lists: Map<ListNo, AppliedList>;
}

export interface Reported {
  agent(agentNo: number): ReportedAgent;
  find(agentNo: number): ReportedAgent | undefined;
  applied(agentNo: number, list: ListNo, applied: AppliedList): void;
  /** The list was taken from the agent. */
  withdrawn(agentNo: number, list: ListNo): void;
  changed(agentNo: number): void;
  /** A mirror that is not the ledger's at its revision; the third within an hour is a warnable, not a loop. */
  differed(agentNo: number, nowMs: number): void;
  /** What changed since it was last taken. */
  takeChanged(): { agents: readonly ReportedAgent[]; lists: readonly { agentNo: number; list: ListNo }[] };
  /** `heard` runs after each `applied`, until the returned function is called. */
  onApplied(heard: () => void): () => void;
  forget(agentNo: number): void;
}

const HOUR_MS = 3_600_000;
const DIFFERS_OFTEN = 3;

export function createReported(): Reported {
  const agents = new Map<number, ReportedAgent>();
  const changedAgents = new Set<number>();
  const changedLists = new Map<string, { agentNo: number; list: ListNo }>();
  const listeners = new Set<() => void>();

  function agent(agentNo: number): ReportedAgent {
    const known = agents.get(agentNo);
    if (known !== undefined) return known;
    const created: ReportedAgent = {
      agentNo,
      lastSeenAtMs: 0,
      facts: undefined,
      health: undefined,
      ownWarnables: new Map(),
      differedAtMs: [],
      lists: new Map(),
    };
    agents.set(agentNo, created);
    return created;
  }

  return {
    agent,
    find: (agentNo) => agents.get(agentNo),
    applied(agentNo, list, applied) {
      agent(agentNo).lists.set(list, applied);
      changedLists.set(`${agentNo}/${list}`, { agentNo, list });
      for (const heard of [...listeners]) heard();
    },
    withdrawn(agentNo, list) {
      agent(agentNo).lists.delete(list);
      changedLists.delete(`${agentNo}/${list}`);
    },
    changed: (agentNo) => void changedAgents.add(agentNo),
    differed(agentNo, nowMs) {
      const reported = agent(agentNo);
      reported.differedAtMs = [...reported.differedAtMs.filter((atMs) => atMs > nowMs - HOUR_MS), nowMs];
      if (reported.differedAtMs.length >= DIFFERS_OFTEN) reported.ownWarnables.set("mirror-differs-often", nowMs);
      else reported.ownWarnables.delete("mirror-differs-often");
    },
    takeChanged() {
      const taken = {
        agents: [...changedAgents].flatMap((agentNo) => agents.get(agentNo) ?? []),
        lists: [...changedLists.values()],
      };
      changedAgents.clear();
      changedLists.clear();
      return taken;
    },
    onApplied(heard) {
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
    forget(agentNo) {
      agents.delete(agentNo);
      changedAgents.delete(agentNo);
    },
  };
}

/** Merged with what the agent says itself, oldest first. */
export function warnablesOf(agent: ReportedAgent): readonly AgentWarnable[] {
  const own = [...agent.ownWarnables].map(([code, sinceMs]) => ({ code, sinceMs, detail: "" }));
  return [...(agent.health?.warnables ?? []), ...own].sort((a, b) => a.sinceMs - b.sinceMs);
}
