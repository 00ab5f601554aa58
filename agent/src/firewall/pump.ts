/**
 * Takes batches from the lanes and carries them out, one at a time, at a pace that leaves a slow machine usable.
 *
 * An urgent wish waits for the batch in the kernel, never for the rest after it (invariant 7). Work of a millisecond
 * earns its rest together with the next: timers are no finer.
 */
import type { Piece } from "@fleetban/kit/background";
import { type Clock, ms } from "@fleetban/kit/clock";
import { createTurns } from "@fleetban/kit/turns";
import type { Exclusive } from "./exclusive.ts";
import { type Batch, entriesIn, type Lanes } from "./lanes.ts";
import { nextBatchEntries, type PaceLimits, restMs } from "./pacing.ts";
import type { Percentiles } from "./percentiles.ts";

export interface PumpParts {
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly exclusive: Exclusive;
  readonly apply: (batch: Batch) => Promise<void>;
  /** How long to stay away from a kernel that failed; 0 = it did not. */
  readonly pauseMs: () => number;
  /** After a batch, and after the sweeps that ended with it. */
  readonly onBatch: (batch: Batch) => void;
  readonly applyUs: Percentiles;
  /** May change while the pump runs. */
  readonly limits: () => PaceLimits;
}

export interface Pump {
  run(signal: AbortSignal): Promise<never>;
  /** The size that bulk batches have settled on. */
  readonly batchEntries: number;
}

const LEAST_REST_MS = 2;

export function createPump(parts: PumpParts): Pump {
  const { lanes, clock, limits } = parts;
  let entries = limits().minEntries;
  let owedMs = 0;

  async function carryOut(batch: Batch): Promise<number> {
    const begunMs = clock.monotonicMs();
    await parts.exclusive(() => parts.apply(batch));
    const tookMs = clock.monotonicMs() - begunMs;
    if (entriesIn(batch) > 0) parts.applyUs.record(Math.round(tookMs * 1_000));
    for (const sweep of batch.finished) await sweep.finish?.();
    return tookMs;
  }

  async function rest(tookMs: number, signal: AbortSignal): Promise<void> {
    owedMs += restMs(ms(tookMs), limits());
    if (owedMs < LEAST_REST_MS) return;
    const restingMs = owedMs;
    owedMs = 0;
    await lanes.restUnlessUrgent(restingMs, signal);
  }

  /** Urgent wishes don't wait for it, and don't shorten it for what comes after them. Undefined = there is nothing yet. */
  async function beginWhenDue(signal: AbortSignal): Promise<Piece | undefined> {
    const { background } = clock;
    if (background === undefined) return undefined;
    for (let restMs = background.restMs(); restMs > 0 && hasOnlyBulk(); restMs = background.restMs()) {
      await lanes.restUnlessUrgent(restMs, signal);
    }
    return lanes.has("bulk") ? background.begin() : undefined;
  }

  const hasOnlyBulk = () => lanes.has("bulk") && !lanes.has("urgent");

  /** On a machine that gives us little, a batch is no longer than a piece of work that can wait. */
  function inTime(wanted: PaceLimits): PaceLimits {
    const { background } = clock;
    if (background === undefined || background.share === 1) return wanted;
    return { ...wanted, targetMs: ms(Math.min(wanted.targetMs, background.pieceMs)) };
  }

  return {
    get batchEntries() {
      return entries;
    },
    async run(signal) {
      const turns = createTurns(clock);
      for (;;) {
        const piece = await beginWhenDue(signal);
        const batch = await lanes.take(entries, signal);
        const tookMs = await carryOut(batch);
        if (batch.lane === "bulk") piece?.end();
        lanes.done();
        parts.onBatch(batch);
        const pauseMs = parts.pauseMs();
        if (pauseMs > 0) await clock.sleep(pauseMs, signal);
        if (batch.lane === "bulk" && entriesIn(batch) > 0) {
          entries = nextBatchEntries(entries, ms(tookMs), inTime(limits()));
          if (batch.mayRest) await rest(tookMs, signal);
        }
        if (turns.isOver()) await turns.next();
      }
    },
  };
}
