/**
 * One stream from Hello to its end: sightings up until acknowledged, deltas down into mirror and kernel.
 *
 * Everything that must survive a broken stream lives outside: the spool knows what is unacknowledged, the mirror
 * its positions. So a session can end at any message, and the next one goes on (invariants 1 and 2).
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import { PROTOCOL_VERSION } from "@fleetban/proto/wire/channel";
import type {
  AgentMessage,
  CoordinatorMessage,
  Goodbye,
  Hello,
  Probe,
  ProbeResult,
  Settings,
  Welcome,
} from "@fleetban/proto/wire/fleet";
import type { Connection } from "./connection.ts";
import type { LedgerClock } from "./ledger-clock.ts";
import type { LinkLists } from "./lists.ts";
import type { Reports } from "./reports.ts";
import { type LinkSpool, sendSightings } from "./send-sightings.ts";
import { LinkError, type SessionEnd } from "./state.ts";
import { createUnpacking } from "./unpacking.ts";

const WELCOME_DEADLINE_MS = 10_000;
const CERTIFICATE_LOOK_MS = 60_000;

export interface SessionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly ledgerClock: LedgerClock;
  readonly spool: LinkSpool;
  readonly lists: LinkLists;
  readonly reports: Reports;
  readonly hello: () => Hello;
  readonly probe: (probe: Probe) => Promise<ProbeResult>;
  /** Unix milliseconds of this machine's clock: when the certificate ends that the stream was opened with. Undefined = not known. */
  readonly certificateEndsAtMs: () => number | undefined;
  readonly onSettings: (settings: Settings) => void;
  readonly onOnline: (welcome: Welcome) => void;
}

export async function runSession(
  parts: SessionParts,
  connection: Connection,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const incoming = connection.messages[Symbol.asyncIterator]();
  const endsAtMs = parts.certificateEndsAtMs(); // a later one is for the next stream
  try {
    const hello = parts.hello();
    await connection.send({ kind: { $case: "hello", value: hello } });
    const first = await nextWithin(parts.clock, incoming, WELCOME_DEADLINE_MS);
    if (first?.kind?.$case === "goodbye") return goodbyeEnd(first.kind.value);
    if (first?.kind?.$case !== "welcome") {
      throw new LinkError("protocol", "the coordinator's first message is no Welcome; is its version compatible?");
    }
    await welcomed(parts, hello, first.kind.value);
    return await converse(parts, { connection, incoming, endsAtMs }, signal);
  } catch (cause) {
    signal.throwIfAborted();
    return { kind: "lost", cause };
  }
}

async function welcomed(parts: SessionParts, hello: Hello, welcome: Welcome): Promise<void> {
  if (welcome.protocol !== PROTOCOL_VERSION) {
    throw new LinkError(
      "protocol",
      `the coordinator speaks protocol ${welcome.protocol}, this agent ${PROTOCOL_VERSION}`,
    );
  }
  parts.ledgerClock.measured(hello.sentAtMs, welcome.ledgerTimeMs);
  await parts.spool.welcomed(welcome.acked);
  await parts.lists.welcomed(welcome);
  if (welcome.settings !== undefined) parts.onSettings(welcome.settings);
  parts.onOnline(welcome);
}

interface OpenStream {
  readonly connection: Connection;
  readonly incoming: AsyncIterator<CoordinatorMessage>;
  readonly endsAtMs: number | undefined;
}

/** Ends as soon as one of its loops does; the others are aborted and awaited. */
async function converse(
  parts: SessionParts,
  { connection, incoming, endsAtMs }: OpenStream,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const over = new AbortController();
  let end: SessionEnd = { kind: "lost", cause: new LinkError("stream-lost", "the coordinator ended the stream") };
  const send = (message: AgentMessage) => connection.send(message);
  function finish(received: SessionEnd): void {
    end = received;
    over.abort(new LinkError("stream-lost", "the session is over"));
  }
  const tasks = {
    receive: async () => {
      const received = await receive(parts, send, incoming, finish, over.signal);
      if (!over.signal.aborted) finish(received); // else something else ended it, and says why
    },
    sightings: (inner: AbortSignal) => sendSightings(parts.spool, parts.clock, send, inner),
    reports: (inner: AbortSignal) => parts.reports.run(send, inner),
    certificate: async (inner: AbortSignal) => {
      if (endsAtMs === undefined) return;
      await endOf(parts.clock, endsAtMs, inner);
      const text = `the stream's certificate ended at ${new Date(endsAtMs).toISOString()}`;
      end = { kind: "lost", cause: new LinkError("certificate-ended", text) };
      over.abort(end.cause);
    },
  };
  const ended = AbortSignal.any([signal, over.signal]);
  ended.addEventListener("abort", () => connection.close(), { once: true });
  try {
    await runTasks(tasks, ended);
  } catch (cause) {
    signal.throwIfAborted();
    if (!over.signal.aborted) end = { kind: "lost", cause };
  }
  return end;
}

/** TLS looks at a certificate's end at the handshake only. The clock is asked again and again: it may be set meanwhile. */
async function endOf(clock: Clock, endsAtMs: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = endsAtMs - clock.nowMs(); leftMs > 0; leftMs = endsAtMs - clock.nowMs()) {
    await clock.sleep(Math.min(leftMs, CERTIFICATE_LOOK_MS), signal);
  }
}

async function receive(
  parts: SessionParts,
  send: (message: AgentMessage) => Promise<void>,
  incoming: AsyncIterator<CoordinatorMessage>,
  finish: (end: SessionEnd) => void,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const unpacking = createUnpacking(finish, signal);
  try {
    for (;;) {
      const next = await incoming.next();
      if (next.done === true || signal.aborted) {
        return { kind: "lost", cause: new LinkError("stream-lost", "the coordinator ended the stream") };
      }
      const { value } = next;
      await acknowledgeChunk(send, value);
      const isTaken = await unpacking.take(value, () => take(parts, send, value));
      const end = isTaken ? undefined : await take(parts, send, value);
      if (end !== undefined) return end;
    }
  } finally {
    await unpacking.settled(); // the next session begins with what the mirror has then
  }
}

/** In the order in which they came; what becomes of it is another question. */
async function acknowledgeChunk(
  send: (message: AgentMessage) => Promise<void>,
  { kind }: CoordinatorMessage,
): Promise<void> {
  if (kind?.$case !== "snapshotChunk") return;
  const { list, revision, chunk } = kind.value;
  await send({ kind: { $case: "chunkReceived", value: { list, revision, chunk } } });
}

/** In order, one at a time, but for a list that is being unpacked: a delta is in the mirror before the next message is looked at. */
async function take(
  parts: SessionParts,
  send: (message: AgentMessage) => Promise<void>,
  { kind }: CoordinatorMessage,
): Promise<SessionEnd | undefined> {
  switch (kind?.$case) {
    case "ack":
      await parts.spool.acknowledge(kind.value.incarnation, kind.value.seq);
      return undefined;
    case "delta": {
      const outcome = await parts.lists.delta(kind.value);
      if (outcome.kind === "differs") return { kind: "resync", list: kind.value.list };
      parts.reports.due(kind.value.list, kind.value.reportWithinMs);
      return undefined;
    }
    case "snapshotChunk": {
      const outcome = await parts.lists.snapshotChunk(kind.value);
      if (outcome.kind === "differs") return { kind: "resync", list: kind.value.list };
      if (outcome.kind === "complete") parts.reports.due(kind.value.list, 0);
      return undefined;
    }
    case "settings":
      parts.onSettings(kind.value);
      return undefined;
    case "lists":
      await parts.lists.lists(kind.value.lists);
      return undefined;
    case "listRemoved":
      await parts.lists.removed(kind.value.list, kind.value.approved);
      return undefined;
    case "probe":
      await send({ kind: { $case: "probeResult", value: await parts.probe(kind.value) } });
      return undefined;
    case "goodbye":
      return goodbyeEnd(kind.value);
    default:
      // A kind from a later protocol: ignored, so that old agents live with new coordinators.
      return undefined;
  }
}

const GOODBYE_REASONS = ["unspecified", "draining", "revoked", "replaced", "clone", "protocol", "quota"];

function goodbyeEnd({ reason, retryAfterMs, addresses }: Goodbye): SessionEnd {
  return { kind: "goodbye", reason: GOODBYE_REASONS[reason] ?? `reason ${reason}`, retryAfterMs, addresses };
}

async function nextWithin(
  clock: Clock,
  incoming: AsyncIterator<CoordinatorMessage>,
  deadlineMs: number,
): Promise<CoordinatorMessage | undefined> {
  const late = Promise.withResolvers<never>();
  const timer = clock.timer(deadlineMs, () =>
    late.reject(new LinkError("no-welcome", `the coordinator did not answer Hello within ${deadlineMs} ms`)),
  );
  try {
    const next = await Promise.race([incoming.next(), late.promise]);
    return next.done === true ? undefined : next.value;
  } finally {
    timer.cancel();
  }
}
