/**
 * One stream's sightings on their way into the ledger: committed in their order, acknowledged once a commit.
 *
 * Bounded by waiting for commits, which depend on no peer: whoever sends faster than Postgres stores is read more slowly.
 * An agent over its quota waits for its pace besides; while it keeps to its window of what is unacknowledged, the rest
 * of its stream is read on.
 */
import type { Clock } from "@fleetban/kit/clock";
import { type Sightings, sightingFromWire } from "@fleetban/proto/wire/fleet";
import type { Ledger } from "../ledger/ledger.ts";
import type { FleetCounters } from "./counters.ts";
import { checkSightings } from "./incoming.ts";
import type { Outbox } from "./outbox.ts";
import type { Pace } from "./pace.ts";

/** For the metrics. */
export interface ObserveSightings {
  sightings(outcome: string, count: number): void;
  committed(seconds: number): void;
}

export interface IntakeParts {
  readonly agentNo: number;
  readonly ledger: Pick<Ledger, "commitSightings" | "ledgerTimeMs">;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly counters: FleetCounters;
  readonly observe: ObserveSightings;
  readonly outbox: Pick<Outbox, "acknowledge" | "flush">;
  /** What could not be made durable ends the stream, and the agent sends it again. */
  readonly onFailure: (error: unknown) => void;
}

export interface Intake {
  /** Resolves when more can be taken. */
  take(message: Sightings): Promise<void>;
  /** The stream is over: what is held back is not stored, the agent sends it again. */
  close(): void;
}

/** Uncommitted sightings a stream may have here: what one commit takes, twice. */
const MAX_UNCOMMITTED = 4_000;

export function createIntake(parts: IntakeParts): Intake {
  const { agentNo, ledger, clock, pace, counters, observe, outbox } = parts;
  const closed = new AbortController();
  const commits = new Set<Promise<void>>();
  let uncommitted = 0;
  let isFlushing = false;
  /** One that was held back when the stream ended is not stored, and so is none after it. */
  let isCutOff = false;
  let before: Promise<void> = Promise.resolve();

  /** In the order in which they came: one that is overtaken would count as a gap, and be skipped. */
  function myTurn(): Promise<void> {
    before = before.then(async () => {
      for (let restMs = pace.restMs(agentNo); restMs > 0 && !isCutOff; restMs = pace.restMs(agentNo)) {
        await clock.sleep(restMs, closed.signal).catch(() => {
          isCutOff = true;
        });
      }
    });
    return before;
  }

  /** Never rejects. */
  async function commit(message: Sightings, receivedAtMs: number): Promise<void> {
    if (isCutOff) return;
    const { incarnation, firstSeq, sentAtMs, items } = message;
    const begunMs = clock.monotonicMs();
    try {
      const sightings = items.map(sightingFromWire);
      const batch = { agentNo, incarnation, firstSeq, sentAtMs, receivedAtMs, sightings };
      const { seq, overQuota, refused } = await ledger.commitSightings(batch);
      pace.stored(agentNo, overQuota);
      outbox.acknowledge(incarnation, seq, { overQuota, refused });
      flushSoon();
      tell(items.length, { overQuota, refused }, clock.monotonicMs() - begunMs);
    } catch (error) {
      parts.onFailure(error);
    }
  }

  function tell(count: number, { overQuota, refused }: { overQuota: number; refused: number }, tookMs: number): void {
    counters.sightings += count;
    observe.committed(tookMs / 1_000);
    const outcomes = { "over-quota": overQuota, refused, stored: count - overQuota - refused };
    for (const [outcome, times] of Object.entries(outcomes)) if (times > 0) observe.sightings(outcome, times);
  }

  /** In the next turn of the event loop: what one commit has made durable is acknowledged in one message. */
  function flushSoon(): void {
    if (isFlushing) return;
    isFlushing = true;
    setImmediate(() => {
      isFlushing = false;
      outbox.flush();
    });
  }

  return {
    async take(message) {
      checkSightings(message);
      const count = message.items.length;
      uncommitted += count;
      const receivedAtMs = ledger.ledgerTimeMs();
      const turn = myTurn().then(() => commit(message, receivedAtMs));
      const committing = turn.then(() => {
        commits.delete(committing);
        uncommitted -= count;
      });
      commits.add(committing);
      while (uncommitted >= MAX_UNCOMMITTED) await Promise.race(commits);
    },
    close: () => closed.abort(),
  };
}
