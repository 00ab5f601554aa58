/** A coordinator made of two queues, and the parts of a session around it. */
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf, type Sighting } from "@fleetban/proto/model/sighting";
import {
  type AgentMessage,
  type CoordinatorMessage,
  CoordinatorMessage as CoordinatorMessages,
  Hello,
  ProbeResult,
  Welcome,
} from "@fleetban/proto/wire/fleet";
import type { Connection } from "./connection.ts";
import { createLedgerClock } from "./ledger-clock.ts";
import { createReports } from "./reports.ts";
import type { LinkSpool, SpoolPoint } from "./send-sightings.ts";
import type { SessionParts } from "./session.ts";

export function coordinatorFixture() {
  const sent: AgentMessage[] = [];
  const waiting: { resolve: (result: IteratorResult<CoordinatorMessage>) => void; reject: (cause: unknown) => void }[] =
    [];
  const inbox: CoordinatorMessage[] = [];
  let closed = false;
  const connection: Connection = {
    async send(message) {
      if (closed) throw new Error("closed");
      sent.push(message);
    },
    messages: {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise((resolve, reject) => {
            const value = inbox.shift();
            if (value !== undefined) resolve({ value, done: false });
            else if (closed) resolve({ value: undefined, done: true });
            else waiting.push({ resolve, reject });
          }),
      }),
    },
    close() {
      closed = true;
      for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
    },
  };
  return {
    connection,
    sent,
    says(kind: NonNullable<CoordinatorMessage["kind"]>) {
      const value = CoordinatorMessages.fromPartial({ kind });
      const next = waiting.shift();
      if (next === undefined) inbox.push(value);
      else next.resolve({ value, done: false });
    },
    breaks(cause: Error) {
      for (const { reject } of waiting.splice(0)) reject(cause);
    },
    welcomes() {
      this.says({ $case: "welcome", value: Welcome.fromPartial({ protocol: 1, ledgerTimeMs: 1_000 }) });
    },
    isClosed: () => closed,
    sentKinds: () => sent.map(({ kind }) => kind?.$case),
  };
}

/** A spool in memory with one incarnation; `seqs` are 1, 2, 3 … */
export function spoolFixture(count: number) {
  const incarnation = new Uint8Array(16).fill(7);
  const sightings = Array.from({ length: count }, (_, index) => sightingFixture(index));
  let ackedSeq = 0;
  let change = Promise.withResolvers<void>();
  const changed = () => {
    change.resolve();
    change = Promise.withResolvers();
  };
  const spool: LinkSpool = {
    welcomed: async () => undefined,
    async acknowledge(_, seq) {
      ackedSeq = seq;
      changed();
    },
    async after(point, maxItems) {
      const from = Math.max(point?.seq ?? 0, ackedSeq);
      const batch = sightings.slice(from, from + maxItems);
      return batch.length === 0 ? undefined : { incarnation, firstSeq: from + 1, sightings: batch };
    },
    outstanding: (point: SpoolPoint | undefined) => Math.max(0, (point?.seq ?? 0) - ackedSeq),
    changed: (signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        void change.promise.then(resolve);
      }),
  };
  return {
    spool,
    ackedSeq: () => ackedSeq,
    append() {
      sightings.push(sightingFixture(sightings.length));
      changed();
    },
  };
}

export function sightingFixture(index: number): Sighting {
  const address = parsePrefix(`45.83.${index >> 8}.${index & 255}`);
  const bannedAtMs = 1_700_000_000_000 + index * 1_000;
  return {
    address,
    kind: "ban",
    source: "fail2ban",
    jail: "sshd",
    protocol: "tcp",
    ports: "22",
    failures: 5,
    bannedAtMs,
    banSeconds: 600,
    banCount: 1,
    recordedAtMs: bannedAtMs,
    act: actOf({ jail: "sshd", address, bannedAtMs }),
    evidence: new Uint8Array(),
  };
}

export function sessionParts(overrides: Partial<SessionParts> = {}) {
  const clock = createVirtualClock(10_000);
  const lists: SessionParts["lists"] = {
    welcomed: async () => undefined,
    delta: async () => ({ kind: "applied" }),
    snapshotChunk: async ({ chunk, chunks }) => ({ kind: chunk + 1 === chunks ? "complete" : "more" }),
    lists: async () => undefined,
    removed: async () => undefined,
  };
  const reports = createReports({
    clock,
    settled: async () => undefined,
    applied: async () => undefined,
    lists: () => [],
    health: () => ({}) as never,
    hits: () => [],
  });
  const parts: SessionParts = {
    clock,
    log: silentLog,
    ledgerClock: createLedgerClock(clock),
    spool: spoolFixture(0).spool,
    lists,
    reports,
    hello: () => Hello.fromPartial({ protocol: 1, sentAtMs: clock.nowMs() }),
    probe: async ({ probeNo }) => ProbeResult.fromPartial({ probeNo }),
    certificateEndsAtMs: () => undefined,
    onSettings: () => undefined,
    onOnline: () => undefined,
    ...overrides,
  };
  return { parts, clock };
}
