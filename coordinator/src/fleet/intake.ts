/**
 * One stream's sightings on their way into the ledger: committed in their order, acknowledged once a commit.
 *
 * Bounded by waiting for commits, which depend on no peer: whoever sends faster than Postgres stores is read more slowly.
 */
import type { Clock } from "@fleetban/kit/clock";
import { type Sightings, sightingFromWire } from "@fleetban/proto/wire/fleet";
import type { Ledger } from "../ledger/ledger.ts";
import type { FleetCounters } from "./counters.ts";
import { checkSightings } from "./incoming.ts";
import type { Outbox } from "./outbox.ts";

/** For the metrics. */
export interface ObserveSightings {
  sightings(outcome: string, count: number): void;
  committed(seconds: number): void;
}

export interface IntakeParts {
  readonly agentNo: number;
  readonly ledger: Pick<Ledger, "commitSightings" | "ledgerTimeMs">;
  readonly clock: Clock;
  readonly counters: FleetCounters;
  readonly observe: ObserveSightings;
  readonly outbox: Outbox;
  /** What could not be made durable ends the stream, and the agent sends it again. */
  readonly onFailure: (error: unknown) => void;
}

export interface Intake {
  /** Resolves when more can be taken. */
  take(message: Sightings): Promise<void>;
}

/** Uncommitted sightings a stream may have here: what one commit takes, twice. */
const MAX_UNCOMMITTED = 4_000;

export function createIntake(parts: IntakeParts): Intake {
  const { agentNo, ledger, clock, counters, observe, outbox } = parts;
  const commits = new Set<Promise<void>>();
  let uncommitted = 0;
  let isFlushing = false;

  /** Never rejects. */
  async function commit({ incarnation, firstSeq, sentAtMs, items }: Sightings): Promise<void> {
    const begunMs = clock.monotonicMs();
    try {
      const sightings = items.map(sightingFromWire);
      const batch = { agentNo, incarnation, firstSeq, sentAtMs, receivedAtMs: ledger.ledgerTimeMs(), sightings };
      const { seq, overQuota, refused } = await ledger.commitSightings(batch);
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
      const committing = commit(message).then(() => {
        commits.delete(committing);
        uncommitted -= count;
      });
      commits.add(committing);
      while (uncommitted >= MAX_UNCOMMITTED) await Promise.race(commits);
    },
  };
}
