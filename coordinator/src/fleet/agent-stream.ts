/**
 * One agent's stream, from Hello to its end: sightings into the ledger and their Acks back, deltas down, reports kept.
 *
 * The coordinator never stops reading because an agent does not read: the agent's own loop may wait for us at that
 * moment, and both would wait for ever. What reading makes is bounded instead: outbox.ts merges or refuses, intake.ts
 * waits for commits. Owned by the registry (fleet.ts).
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { type List, type ListNo, listNo } from "@fleetban/proto/model/listing";
import { bytesOf, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { PROTOCOL_VERSION } from "@fleetban/proto/wire/channel";
import { type AgentMessage, GoodbyeReason, type Hello, listToWire, type ProbeResult } from "@fleetban/proto/wire/fleet";
import { WireError } from "@fleetban/proto/wire/wire-error";
import type { HitTotals } from "../hits/hit-totals.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type Agent, type AgentGroup, settingsOf } from "./agent.ts";
import type { AgentChannel } from "./channel.ts";
import type { FleetCounters } from "./counters.ts";
import { FleetError, violation } from "./errors.ts";
import { certificateExpired } from "./identify.ts";
import { type CheckedHello, checkApplied, checkHealth, checkHello, checkProbeResult } from "./incoming.ts";
import { createIntake, type Intake, type ObserveSightings } from "./intake.ts";
import { Outbox } from "./outbox.ts";
import type { Pace } from "./pace.ts";
import type { Reported } from "./reported.ts";
import { listsFor, welcomeMessage } from "./welcome.ts";

export interface StreamParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly reported: Reported;
  readonly hits: HitTotals;
  readonly counters: FleetCounters;
  readonly observe: ObserveSightings;
  readonly pace: Pace;
  /** Which replica this is. */
  readonly replica: string;
  /** Takes its place beside or instead of an older stream of the same agent. */
  readonly admit: (stream: AgentStream) => Promise<"admitted" | "clone">;
  /** Its own public addresses, told to the ledger. */
  readonly claim: (stream: AgentStream, claims: readonly Prefix[]) => Promise<void>;
}

export interface ProbeAnswer {
  readonly result: ProbeResult;
  /** Coordinator to agent and back, the agent's own work included. */
  readonly roundTripUs: number;
}

const HELLO_WITHIN_MS = 10_000;
/** For one that would only be sent away again. */
const RETRY_LATE_MS = 60_000;
/** grpc-js shows no HTTP/2 ping to a handler, so the agent's own round trip is asked for. */
const ALIVE_PROBE_NO = 0;
const ALIVE_ADDRESS = "192.0.2.255";

export class AgentStream {
  #agent: Agent;
  readonly #parts: StreamParts;
  readonly #channel: AgentChannel;
  readonly #probes = new Map<number, (result: ProbeResult | undefined) => void>();
  #outbox: Outbox | undefined;
  #intake: Intake | undefined;
  #hello: Hello | undefined;
  /** As the agent was last told of them; undefined before Welcome. */
  #lists: readonly List[] | undefined;
  #isOver = false;

  constructor(parts: StreamParts, agent: Agent, channel: AgentChannel) {
    this.#agent = agent;
    this.#parts = parts;
    this.#channel = channel;
    channel.onDrain(() => this.#outbox?.drained());
  }

  get agent(): Agent {
    return this.#agent;
  }

  /** Hexadecimal; empty before Hello. */
  get bootId(): string {
    return this.#hello?.bootId.toString("hex") ?? "";
  }

  get peerAddress(): string {
    return this.#channel.peerAddress;
  }

  /** Resolves when the stream is over, however it ended. What is being committed then is committed all the same. */
  async run(): Promise<void> {
    const { clock } = this.#parts;
    const leftMs = this.agent.certificateEndsAtMs - clock.nowMs();
    const end = clock.timer(leftMs, () => this.#refuse(certificateExpired(this.agent)));
    const messages = this.#channel.messages[Symbol.asyncIterator]();
    try {
      const hello = await this.#firstWithin(messages, HELLO_WITHIN_MS);
      if (hello === undefined || !(await this.#greet(hello))) return;
      for (let next = await messages.next(); next.done !== true && !this.#isOver; next = await messages.next()) {
        await this.#take(next.value);
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      end.cancel();
      this.#isOver = true;
      for (const answer of this.#probes.values()) answer(undefined);
      this.#intake?.close();
      this.#outbox?.close();
      this.#channel.end();
    }
  }

  wake(lists: ReadonlySet<ListNo>): void {
    this.#outbox?.wake(lists);
  }

  /**
   * The group as it is now, and the lists as they are: tells the agent what has changed. False = it could not be told now;
   * it is tried again. A list that is withdrawn is so by an operator's act, at once.
   */
  regroup(group: AgentGroup, all: readonly List[]): boolean {
    const [outbox, hello, before] = [this.#outbox, this.#hello, this.#lists];
    if (outbox === undefined || hello === undefined || before === undefined || this.#isOver) return false;
    const isSameGroup = isDeepStrictEqual(settingsOf(group), settingsOf(this.#agent.group));
    const agent = { ...this.#agent, group };
    const lists = listsFor(agent, hello.features, all);
    if (!isSameGroup && !outbox.send({ kind: { $case: "settings", value: settingsOf(group) } })) return false;
    if (!isDeepStrictEqual(lists, before) && !this.#tellLists(outbox, lists, before)) return false;
    this.#agent = agent;
    return true;
  }

  #tellLists(outbox: Outbox, lists: readonly List[], before: readonly List[]): boolean {
    if (!outbox.send({ kind: { $case: "lists", value: { lists: lists.map(listToWire) } } })) return false;
    const gone = before.filter(({ list }) => !lists.some((kept) => kept.list === list));
    for (const { list } of gone) {
      outbox.send({ kind: { $case: "listRemoved", value: { list, approved: true } } });
      this.#parts.reported.withdrawn(this.#agent.agentNo, list);
    }
    this.#lists = lists;
    outbox.change(lists);
    return true;
  }

  /** Says why, and ends. A stream that is full is ended without the word: it would wait behind all the rest. */
  goodbye(reason: GoodbyeReason, retryAfterMs = 0): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.counters.goodbyes += 1;
    const isFull = this.#outbox?.isFull ?? false;
    this.#intake?.close();
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
    const { clock, ledger } = this.#parts;
    const answered = Promise.withResolvers<ProbeResult | undefined>();
    const timer = clock.timer(timeoutMs, () => answered.resolve(undefined));
    this.#probes.set(probeNo, answered.resolve);
    const sentAtMs = clock.monotonicMs();
    try {
      const value = { probeNo, address: Buffer.from(bytesOf(address)), sentAtMs: Math.round(ledger.ledgerTimeMs()) };
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
      this.goodbye(GoodbyeReason.GOODBYE_REASON_PROTOCOL, RETRY_LATE_MS);
      return false;
    }
    const checked = checkHello(first.kind.value);
    this.#hello = checked.hello;
    if ((await this.#parts.admit(this)) === "clone") {
      this.goodbye(GoodbyeReason.GOODBYE_REASON_CLONE, RETRY_LATE_MS);
      return false;
    }
    await this.#parts.claim(this, checked.claims);
    await this.#welcome(checked);
    return !this.#isOver;
  }

  async #welcome({ hello, positions, named }: CheckedHello): Promise<void> {
    const { ledger, clock, pace, counters, observe, replica } = this.#parts;
    const { agent } = this;
    for (const position of positions.values()) {
      if (position.epoch === ledger.epoch) await ledger.catchUp(position.revision);
    }
    const incarnations = hello.spools.map(({ incarnation }) => incarnation);
    const acked = await ledger.ackedSpools(agent.agentNo, incarnations);
    if (this.#isOver) return;
    this.#remember(hello);
    const all = ledger.lists().map(({ list }) => list);
    const lists = listsFor(agent, hello.features, all);
    const outbox = new Outbox(this.#outboxParts(), hello.features);
    const onFailure = (error: unknown) => this.#refuse(error);
    const { agentNo } = agent;
    this.#outbox = outbox;
    this.#lists = lists;
    this.#intake = createIntake({ agentNo, ledger, clock, pace, counters, observe, outbox, onFailure });
    outbox.send(welcomeMessage(ledger, { agent, hello, lists, acked, replica }));
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
    const { agentNo, group } = this.agent;
    reported.agent(agentNo).lastSeenAtMs = clock.nowMs();
    counters.messages += 1;
    switch (kind?.$case) {
      case "sightings":
        return this.#intake?.take(kind.value);
      case "applied":
        if (!group.lists.has(listNo(kind.value.list))) return; // one that was withdrawn, or that never was
        return reported.applied(agentNo, listNo(kind.value.list), checkApplied(kind.value));
      case "chunkReceived":
        return this.#outbox?.chunkReceived(kind.value);
      case "health":
        reported.agent(agentNo).health = checkHealth(kind.value);
        return reported.changed(agentNo);
      case "hits":
        return this.#parts.hits.add(this.agent, kind.value);
      case "probeResult":
        return this.#probes.get(kind.value.probeNo)?.(checkProbeResult(kind.value));
      case "hello":
        throw violation("a second Hello on one stream");
      default:
        return; // a kind from a later protocol: ignored
    }
  }

  #refuse(error: unknown): void {
    if (this.#isOver) return;
    const { log, counters } = this.#parts;
    const { name } = this.agent;
    if (isViolation(error)) {
      counters.violations += 1;
      log.warn("fleet.protocol_violated", { agent: name, peer: this.peerAddress, error });
      this.goodbye(GoodbyeReason.GOODBYE_REASON_PROTOCOL, RETRY_LATE_MS);
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
