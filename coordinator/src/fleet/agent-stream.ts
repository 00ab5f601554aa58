/**
 * One agent's stream, from Hello to its end: sightings into the ledger and their Acks back, deltas down, reports kept.
 *
 * The coordinator never stops reading because an agent does not read: the agent's own loop may wait for us at that
 * moment, and both would wait for ever. What reading makes is bounded instead (outbox.ts merges or refuses), and
 * sightings are bounded by waiting for commits, which depend on no peer. Owned by the registry (fleet.ts).
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { digestKeyToBytes } from "@fleetban/proto/model/digest";
import { epochToBytes } from "@fleetban/proto/model/epoch";
import { LIST_FLEET, type List, type ListNo, listNo } from "@fleetban/proto/model/listing";
import { bytesOf, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { PROTOCOL_VERSION } from "@fleetban/proto/wire/channel";
import {
  type AgentMessage,
  DigestKind,
  GoodbyeReason,
  type Hello,
  listToWire,
  type ProbeResult,
  type Sightings,
  sightingFromWire,
} from "@fleetban/proto/wire/fleet";
import { WireError } from "@fleetban/proto/wire/wire-error";
import type { Ledger } from "../ledger/ledger.ts";
import { type Agent, settingsOf } from "./agent.ts";
import type { AgentChannel } from "./channel.ts";
import type { FleetCounters } from "./counters.ts";
import { FleetError, violation } from "./errors.ts";
import type { HitTotals } from "./hit-totals.ts";
import { type CheckedHello, checkApplied, checkHealth, checkHello, checkSightings } from "./incoming.ts";
import { Outbox } from "./outbox.ts";
import type { Reported } from "./reported.ts";

export interface StreamParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly reported: Reported;
  readonly hits: HitTotals;
  readonly counters: FleetCounters;
  readonly observe: ObserveSightings;
  /** Which replica this is. */
  readonly replica: string;
  /** Takes its place beside or instead of an older stream of the same agent. */
  readonly admit: (stream: AgentStream) => Promise<"admitted" | "clone">;
  /** Its own public addresses, told to the ledger. */
  readonly claim: (stream: AgentStream, claims: readonly Prefix[]) => Promise<void>;
}

/** For the metrics. */
export interface ObserveSightings {
  sightings(outcome: string, count: number): void;
  committed(seconds: number): void;
}

export interface ProbeAnswer {
  readonly result: ProbeResult;
  /** Coordinator to agent and back, the agent's own work included. */
  readonly roundTripUs: number;
}

const HELLO_WITHIN_MS = 10_000;
/** Uncommitted sightings a stream may have here: what one commit takes, twice. */
const MAX_UNCOMMITTED = 4_000;
const CLONE_RETRY_MS = 60_000;
/** grpc-js shows no HTTP/2 ping to a handler, so the agent's own round trip is asked for. */
const ALIVE_PROBE_NO = 0;
const ALIVE_ADDRESS = "192.0.2.255";

export class AgentStream {
  readonly agent: Agent;
  readonly #parts: StreamParts;
  readonly #channel: AgentChannel;
  readonly #commits = new Set<Promise<void>>();
  readonly #probes = new Map<number, (result: ProbeResult | undefined) => void>();
  #outbox: Outbox | undefined;
  #hello: Hello | undefined;
  #uncommitted = 0;
  #isFlushing = false;
  #isOver = false;

  constructor(parts: StreamParts, agent: Agent, channel: AgentChannel) {
    this.agent = agent;
    this.#parts = parts;
    this.#channel = channel;
    channel.onDrain(() => this.#outbox?.drained());
  }

  /** Hexadecimal; empty before Hello. */
  get bootId(): string {
    return this.#hello?.bootId.toString("hex") ?? "";
  }

  get peerAddress(): string {
    return this.#channel.peerAddress;
  }

  /** Resolves when the stream is over, however it ended. */
  async run(): Promise<void> {
    const messages = this.#channel.messages[Symbol.asyncIterator]();
    try {
      const hello = await this.#firstWithin(messages, HELLO_WITHIN_MS);
      if (hello === undefined || !(await this.#greet(hello))) return;
      for (let next = await messages.next(); next.done !== true && !this.#isOver; next = await messages.next()) {
        await this.#take(next.value);
      }
    } catch (error) {
      if (!this.#isOver) this.#refuse(error);
    } finally {
      this.#isOver = true;
      for (const answer of this.#probes.values()) answer(undefined);
      this.#outbox?.close();
      await Promise.allSettled(this.#commits);
      this.#channel.end();
    }
  }

  wake(lists: ReadonlySet<ListNo>): void {
    this.#outbox?.wake(lists);
  }

  /** Says why, and ends. A stream that is full is cut without the word: it would wait behind all the rest. */
  goodbye(reason: GoodbyeReason, retryAfterMs = 0): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.counters.goodbyes += 1;
    const isFull = this.#outbox?.isFull ?? false;
    this.#outbox?.close();
    const goodbye = { reason, retryAfterMs, addresses: [] };
    if (!isFull) this.#channel.write({ kind: { $case: "goodbye", value: goodbye } });
    if (reason === GoodbyeReason.GOODBYE_REASON_REVOKED) {
      this.#channel.cut(new FleetError("certificate-revoked", `agent ${this.agent.name}: was revoked by an operator`));
    } else {
      this.#channel.end();
    }
  }

  /** Whether the agent is still there: any answer to a probe says so. */
  async answers(withinMs: number): Promise<boolean> {
    return (await this.probe(ALIVE_PROBE_NO, parsePrefix(ALIVE_ADDRESS), withinMs)) !== undefined;
  }

  /** Undefined = no answer in time, or the stream ended. */
  async probe(probeNo: number, address: Prefix, timeoutMs: number): Promise<ProbeAnswer | undefined> {
    const { clock } = this.#parts;
    const answered = Promise.withResolvers<ProbeResult | undefined>();
    const timer = clock.timer(timeoutMs, () => answered.resolve(undefined));
    this.#probes.set(probeNo, answered.resolve);
    const sentAtMs = clock.monotonicMs();
    try {
      const value = {
        probeNo,
        address: Buffer.from(bytesOf(address)),
        sentAtMs: Math.round(this.#parts.ledger.ledgerTimeMs()),
      };
      if (this.#isOver || this.#outbox?.send({ kind: { $case: "probe", value } }) !== true) return undefined;
      const result = await answered.promise;
      if (result === undefined) return undefined;
      return { result, roundTripUs: Math.round((clock.monotonicMs() - sentAtMs) * 1_000) };
    } finally {
      timer.cancel();
      this.#probes.delete(probeNo);
    }
  }

  /** False = the stream ended before its Hello was answered. */
  async #greet(first: AgentMessage): Promise<boolean> {
    if (first.kind?.$case !== "hello") throw violation("the first message is no Hello");
    const { protocol } = first.kind.value;
    if (protocol !== PROTOCOL_VERSION) {
      this.#parts.log.warn("fleet.protocol_refused", { agent: this.agent.name, protocol, wanted: PROTOCOL_VERSION });
      this.goodbye(GoodbyeReason.GOODBYE_REASON_PROTOCOL, CLONE_RETRY_MS);
      return false;
    }
    const checked = checkHello(first.kind.value);
    this.#hello = checked.hello;
    if ((await this.#parts.admit(this)) === "clone") {
      this.goodbye(GoodbyeReason.GOODBYE_REASON_CLONE, CLONE_RETRY_MS);
      return false;
    }
    await this.#parts.claim(this, checked.claims);
    await this.#welcome(checked);
    return !this.#isOver;
  }

  async #welcome({ hello, positions, named }: CheckedHello): Promise<void> {
    const { ledger } = this.#parts;
    for (const position of positions.values()) {
      if (position.epoch === ledger.epoch) await ledger.catchUp(position.revision);
    }
    const acked = await ledger.ackedSpools(
      this.agent.agentNo,
      hello.spools.map(({ incarnation }) => incarnation),
    );
    if (this.#isOver) return;
    this.#remember(hello);
    const lists = this.#listsFor(hello.features);
    const outbox = new Outbox(this.#outboxParts(), hello.features);
    this.#outbox = outbox;
    const welcome = {
      protocol: PROTOCOL_VERSION,
      epoch: Buffer.from(epochToBytes(ledger.epoch)),
      agentId: this.agent.agentId,
      ledgerTimeMs: Math.round(ledger.ledgerTimeMs()),
      digestKind: DigestKind.DIGEST_KIND_SIPHASH_SUM,
      digestKey: Buffer.from(digestKeyToBytes(ledger.digestKey)),
      settings: settingsOf(this.agent.group),
      lists: lists.map(listToWire),
      acked: acked.map(({ incarnation, seq, act }) => ({
        incarnation: Buffer.from(incarnation),
        seq,
        act: Buffer.from(act, "hex"),
      })),
      replica: this.#parts.replica,
      helloSentAtMs: hello.sentAtMs,
    };
    outbox.send({ kind: { $case: "welcome", value: welcome } });
    this.#withdraw(outbox, named, lists);
    outbox.open(lists, positions);
  }

  /** A list leaves an agent by this message, never by being absent from Welcome (PROTOCOL rule 5). */
  #withdraw(outbox: Outbox, named: ReadonlySet<ListNo>, lists: readonly List[]): void {
    const kept = new Set(lists.map(({ list }) => list));
    for (const list of named) {
      if (!kept.has(list)) outbox.send({ kind: { $case: "listRemoved", value: { list, approved: false } } });
    }
  }

  #outboxParts() {
    const { counters, reported, ledger, log, clock } = this.#parts;
    return {
      ledger,
      write: (message: Parameters<AgentChannel["write"]>[0]) => this.#channel.write(message),
      onDelta: (bytes: number) => {
        counters.deltas += 1;
        counters.deltaBytes += bytes;
      },
      onSnapshot: (list: ListNo, reason: string) => {
        counters.snapshots.set(reason, (counters.snapshots.get(reason) ?? 0) + 1);
        log.info("fleet.snapshot_began", { agent: this.agent.name, list, reason });
        if (reason === "differs") reported.differed(this.agent.agentNo, clock.nowMs());
      },
    };
  }

  /** Exempt before deny, then in the order of urgency: what operators and agents list, before what feeds list. */
  #listsFor(features: readonly number[]): readonly List[] {
    const isFor = (list: List) =>
      this.agent.group.lists.has(list.list) && list.requires.every((feature) => features.includes(feature));
    const orderOf = (list: List) => (list.effect === "exempt" ? 0 : list.list === LIST_FLEET ? 1 : 1 + list.list);
    const lists = this.#parts.ledger.lists().map(({ list }) => list);
    return lists.filter(isFor).sort((a, b) => orderOf(a) - orderOf(b));
  }

  #remember(hello: Hello): void {
    const { reported, clock, ledger } = this.#parts;
    const agent = reported.agent(this.agent.agentNo);
    agent.lastSeenAtMs = clock.nowMs();
    agent.facts = {
      programVersion: hello.programVersion,
      backend: hello.backend,
      capacityEntries: hello.capacityEntries,
      bootId: this.bootId,
      features: hello.features,
      clockSkewMs: Math.round(hello.sentAtMs - ledger.ledgerTimeMs()),
    };
    reported.changed(this.agent.agentNo);
  }

  async #take({ kind }: AgentMessage): Promise<void> {
    const { reported, clock, counters } = this.#parts;
    reported.agent(this.agent.agentNo).lastSeenAtMs = clock.nowMs();
    counters.messages += 1;
    switch (kind?.$case) {
      case "sightings":
        return this.#takeSightings(kind.value);
      case "applied":
        return reported.applied(this.agent.agentNo, listNo(kind.value.list), checkApplied(kind.value));
      case "chunkReceived":
        return this.#outbox?.chunkReceived(kind.value);
      case "health":
        reported.agent(this.agent.agentNo).health = checkHealth(kind.value);
        return reported.changed(this.agent.agentNo);
      case "hits":
        return this.#parts.hits.add(this.agent.agentNo, kind.value);
      case "probeResult":
        return this.#probes.get(kind.value.probeNo)?.(kind.value);
      case "hello":
        throw violation("a second Hello on one stream");
      default:
        return; // a kind from a later protocol: ignored
    }
  }

  async #takeSightings(message: Sightings): Promise<void> {
    checkSightings(message);
    const sightings = message.items.map(sightingFromWire);
    const commit = this.#commit(message, sightings);
    this.#commits.add(commit);
    this.#uncommitted += sightings.length;
    void commit.finally(() => {
      this.#commits.delete(commit);
      this.#uncommitted -= sightings.length;
    });
    while (this.#uncommitted >= MAX_UNCOMMITTED) await Promise.race(this.#commits);
  }

  /** Never rejects: what could not be made durable ends the stream, and the agent sends it again. */
  async #commit(message: Sightings, sightings: ReturnType<typeof sightingFromWire>[]): Promise<void> {
    const { ledger, counters, clock, observe } = this.#parts;
    const { incarnation, firstSeq, sentAtMs } = message;
    const receivedAtMs = ledger.ledgerTimeMs();
    const begunMs = clock.monotonicMs();
    try {
      const { agentNo } = this.agent;
      const batch = { agentNo, incarnation, firstSeq, sentAtMs, receivedAtMs, sightings };
      const { seq, overQuota, refused } = await ledger.commitSightings(batch);
      counters.sightings += sightings.length;
      observe.committed((clock.monotonicMs() - begunMs) / 1_000);
      const counts = { "over-quota": overQuota, refused, stored: sightings.length - overQuota - refused };
      for (const [outcome, count] of Object.entries(counts)) if (count > 0) observe.sightings(outcome, count);
      this.#outbox?.acknowledge(incarnation, seq, { overQuota, refused });
      this.#flushSoon();
    } catch (error) {
      if (!this.#isOver) this.#refuse(error);
    }
  }

  /** In the next turn of the event loop: what one commit has made durable is acknowledged in one message. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#outbox?.flush();
    });
  }

  #refuse(error: unknown): void {
    const { log, counters } = this.#parts;
    const { name } = this.agent;
    if (isViolation(error)) {
      counters.violations += 1;
      log.warn("fleet.protocol_violated", { agent: name, peer: this.peerAddress, error });
      this.goodbye(GoodbyeReason.GOODBYE_REASON_PROTOCOL, CLONE_RETRY_MS);
      return;
    }
    log.warn("fleet.stream_broke", { agent: name, peer: this.peerAddress, error });
    this.goodbye(GoodbyeReason.GOODBYE_REASON_DRAINING);
  }

  async #firstWithin(messages: AsyncIterator<AgentMessage>, withinMs: number): Promise<AgentMessage | undefined> {
    const late = Promise.withResolvers<never>();
    const timer = this.#parts.clock.timer(withinMs, () => late.reject(violation(`no Hello within ${withinMs} ms`)));
    try {
      const next = await Promise.race([messages.next(), late.promise]);
      return next.done === true ? undefined : next.value;
    } finally {
      timer.cancel();
    }
  }
}

function isViolation(error: unknown): boolean {
  return error instanceof WireError || (error instanceof FleetError && error.code === "protocol-violation");
}
