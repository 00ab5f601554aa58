/**
 * The agents that are connected to this replica: one stream an agent, woken when lists move, cut when revoked.
 *
 * A newer stream of the same boot replaces the older; one of another boot, while the older still answers, is a clone of
 * the machine and is turned away, because two that write one spool would lose sightings. One that begins streams without
 * end is told to wait, before anything is made for it.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { ListNo, Revision } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { GoodbyeReason } from "@fleetban/proto/wire/fleet";
import { createHitTotals, type HitTotals } from "../hits/hit-totals.ts";
import type { AgentAddress, Ledger } from "../ledger/ledger.ts";
import type { Agent, AgentGroup } from "./agent.ts";
import { AgentStream, type ProbeAnswer, type StreamParts } from "./agent-stream.ts";
import type { AgentChannel } from "./channel.ts";
import { createCounters, type FleetCounters } from "./counters.ts";
import { createFanOut } from "./fan-out.ts";
import type { ObserveSightings } from "./intake.ts";
import { createPace } from "./pace.ts";
import { createReported, type Reported } from "./reported.ts";
import { createStreamQuota, type StreamQuota } from "./stream-quota.ts";

export interface FleetParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly replica: string;
  readonly observe: ObserveSightings;
}

export interface Fleet {
  readonly reported: Reported;
  readonly hits: HitTotals;
  readonly counters: FleetCounters;
  readonly replica: string;
  /** Serves one stream to its end. */
  serve(agent: Agent, channel: AgentChannel): Promise<void>;
  online(): readonly Agent[];
  isOnline(agentNo: number): boolean;
  /**
   * Tells agents what their groups have become, and which lists there are now; how many are in another than before.
   * One at a time: what is read later is told later.
   */
  regroup(read: ReadGrouping): Promise<number>;
  /** Cuts what is there at once; how many streams that were. */
  revoke(agentNo: number): number;
  /** Never listed, never routed; another one each time. */
  nextProbeAddress(): Prefix;
  probe(agentNo: number, address: Prefix, timeoutMs: number): Promise<ProbeAnswer | undefined>;
  /** Waits until every agent online has this revision of the lists in its kernel; names those that have not in time. */
  waitApplied(wish: AppliedWish): Promise<AppliedOutcome>;
  /** Sends everybody away, to come back at random within `RETURN_WITHIN_MS`. */
  drain(): void;
  close(): void;
}

export interface Grouping {
  readonly groups: ReadonlyMap<string, AgentGroup>;
  /** By `agent_no`, which group it is in. */
  readonly groupOf: ReadonlyMap<number, string>;
}

/** Is given the agents that are connected. */
export type ReadGrouping = (agents: readonly number[]) => Promise<Grouping>;

export interface AppliedWish {
  readonly lists: readonly ListNo[];
  readonly revision: Revision;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface AppliedOutcome {
  readonly applied: number;
  readonly missing: readonly string[];
}

type Refused = NonNullable<ReturnType<StreamQuota["begin"]>>;

/** How long an older stream has to answer before a newcomer of another boot takes its place. */
const ANSWER_WITHIN_MS = 5_000;
const RETURN_WITHIN_MS = 30_000;
const PROBE_NETWORK = "192.0.2.";

export function createFleet(parts: FleetParts): Fleet {
  const { ledger, clock, random, log } = parts;
  const streams = new Map<number, AgentStream>();
  const admissions = new Map<number, Promise<unknown>>();
  const reported = createReported();
  const hits = createHitTotals();
  const counters = createCounters();
  const pace = createPace(clock);
  const quota = createStreamQuota(clock);
  const fanOut = createFanOut(() => streams.values());
  let epoch = ledger.epoch;
  let probeNo = 0;
  let probeAddress = 0;
  let isDraining = false;
  let regrouping: Promise<unknown> = Promise.resolve();

  const streamParts: StreamParts = { ...parts, reported, hits, counters, pace, admit, claim };

  const unsubscribe = ledger.subscribe((lists) => {
    if (ledger.epoch === epoch) return fanOut.wake(lists);
    epoch = ledger.epoch; // a new digest key: agents learn it in a new Welcome only
    sendAway();
  });

  /** One at a time an agent: two newcomers at once would both find the same older stream. */
  async function admit(stream: AgentStream): Promise<"admitted" | "clone"> {
    const { agentNo } = stream.agent;
    const before = admissions.get(agentNo) ?? Promise.resolve();
    const admission = before.then(() => admitNow(stream));
    admissions.set(agentNo, admission);
    try {
      return await admission;
    } finally {
      if (admissions.get(agentNo) === admission) admissions.delete(agentNo);
    }
  }

  async function admitNow(stream: AgentStream): Promise<"admitted" | "clone"> {
    const { agentNo, name } = stream.agent;
    const older = streams.get(agentNo);
    if (older !== undefined && older.bootId !== stream.bootId && (await older.answers(ANSWER_WITHIN_MS))) {
      counters.clones += 1;
      reported.agent(agentNo).ownWarnables.set("agent-cloned", clock.nowMs());
      log.error("fleet.clone_refused", { agent: name, peer: stream.peerAddress, olderPeer: older.peerAddress });
      return "clone";
    }
    streams.get(agentNo)?.goodbye(GoodbyeReason.GOODBYE_REASON_REPLACED);
    streams.set(agentNo, stream);
    log.info("fleet.agent_connected", { agent: name, peer: stream.peerAddress, streams: streams.size });
    return "admitted";
  }

  /** Protects the agent's own addresses from being listed; a doubtful claim becomes a hold in the ledger. */
  async function claim(stream: AgentStream, claims: readonly Prefix[]): Promise<void> {
    const { agentNo, name } = stream.agent;
    const observed = publicAddress(stream.peerAddress);
    const wanted: AgentAddress[] = claims
      .filter((address) => address !== observed)
      .map((address) => ({ address, origin: "claimed" }));
    if (observed !== undefined) wanted.push({ address: observed, origin: "observed" });
    const known = ledger.protectedAddresses().filter((one) => one.agentNo === agentNo);
    const isNew = ({ address }: AgentAddress) => !known.some((one) => one.address === address);
    const isGone = ({ address, origin }: AgentAddress) =>
      origin === "claimed" && !wanted.some((one) => one.address === address);
    if (!wanted.some(isNew) && !known.some(isGone)) return; // the usual case costs no commit
    const { held } = await ledger.setAgentAddresses(agentNo, wanted);
    if (held.length > 0) log.warn("fleet.claims_held", { agent: name, addresses: held });
  }

  function turnAway(stream: AgentStream, { retryAfterMs, isFirst }: Refused): void {
    const { agentNo, name } = stream.agent;
    if (isFirst) {
      reported.agent(agentNo).ownWarnables.set("streams-over-quota", clock.nowMs());
      log.warn("fleet.streams_over_quota", { agent: name, peer: stream.peerAddress, retryAfterMs });
    }
    counters.overQuota += 1;
    stream.goodbye(GoodbyeReason.GOODBYE_REASON_QUOTA, retryAfterMs);
  }

  function sendAway(): void {
    for (const stream of [...streams.values()]) {
      stream.goodbye(GoodbyeReason.GOODBYE_REASON_DRAINING, Math.round(random.unit() * RETURN_WITHIN_MS));
    }
  }

  function regroupTo({ groups, groupOf }: Grouping): number {
    const all = ledger.lists().map(({ list }) => list);
    let moved = 0;
    for (const stream of streams.values()) {
      const { agentNo, group: before } = stream.agent;
      const group = groups.get(groupOf.get(agentNo) ?? before.name); // one that has come since then stays where it was
      if (group !== undefined && stream.regroup(group, all) && group.name !== before.name) moved += 1;
    }
    return moved;
  }

  function hasApplied(agent: Agent, { lists, revision }: AppliedWish): boolean {
    const known = reported.find(agent.agentNo)?.lists;
    const isThere = (list: ListNo) => {
      const applied = known?.get(list);
      return applied !== undefined && applied.epoch === ledger.epoch && applied.revision >= revision;
    };
    return lists.filter((list) => agent.group.lists.has(list)).every(isThere);
  }

  return {
    reported,
    hits,
    counters,
    replica: parts.replica,

    async serve(agent, channel) {
      const stream = new AgentStream(streamParts, agent, channel);
      if (isDraining) {
        stream.goodbye(GoodbyeReason.GOODBYE_REASON_DRAINING, Math.round(random.unit() * RETURN_WITHIN_MS));
        return;
      }
      const refused = quota.begin(agent.agentNo);
      if (refused !== undefined) return turnAway(stream, refused);
      reported.find(agent.agentNo)?.ownWarnables.delete("streams-over-quota");
      await stream.run();
      if (streams.get(agent.agentNo) !== stream) return;
      streams.delete(agent.agentNo);
      reported.changed(agent.agentNo);
      log.info("fleet.agent_disconnected", { agent: agent.name, streams: streams.size });
    },

    online: () => [...streams.values()].map(({ agent }) => agent),
    isOnline: (agentNo) => streams.has(agentNo),

    regroup(read) {
      const turn = regrouping.then(async () => regroupTo(await read([...streams.keys()])));
      regrouping = turn.catch(() => undefined); // told to whoever asked for it
      return turn;
    },

    revoke(agentNo) {
      const stream = streams.get(agentNo);
      reported.forget(agentNo);
      if (stream === undefined) return 0;
      streams.delete(agentNo);
      stream.goodbye(GoodbyeReason.GOODBYE_REASON_REVOKED);
      return 1;
    },

    nextProbeAddress() {
      probeAddress = (probeAddress + 1) % 254;
      return parsePrefix(`${PROBE_NETWORK}${1 + probeAddress}`);
    },

    async probe(agentNo, address, timeoutMs) {
      probeNo += 1;
      return streams.get(agentNo)?.probe(probeNo, address, timeoutMs);
    },

    async waitApplied(wish) {
      const done = Promise.withResolvers<void>();
      const isMissing = ({ agent }: AgentStream) => !hasApplied(agent, wish);
      const look = () => {
        if (![...streams.values()].some(isMissing)) done.resolve();
      };
      const timer = clock.timer(wish.timeoutMs, done.resolve);
      const stopHearing = reported.onApplied(look);
      wish.signal?.addEventListener("abort", () => done.resolve(), { once: true });
      look();
      await done.promise;
      timer.cancel();
      stopHearing();
      const missing = [...streams.values()].filter(isMissing);
      return { applied: streams.size - missing.length, missing: missing.map(({ agent }) => agent.name).sort() };
    },

    drain() {
      isDraining = true;
      sendAway();
    },

    close: unsubscribe,
  };
}

function publicAddress(text: string): Prefix | undefined {
  const prefix = tryParsePrefix(text);
  return prefix === undefined || specialPurposeOf(prefix) !== undefined ? undefined : prefix;
}
