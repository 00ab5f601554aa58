/**
 * Postgres' clock as this replica knows it: an offset to its own monotonic time, from the quickest of the last answers.
 *
 * A jump of more than five minutes is not followed: the clock is held, until it comes back, an operator says that it is
 * right, or it has been so for an hour (a machine that slept).
 */
import type { Clock } from "@fleetban/kit/clock";

const SAMPLES_KEPT = 8;
const JUMP_MS = 5 * 60_000;
const HOLD_ENDS_AFTER_MS = 3_600_000;

interface Sample {
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

export type ClockChange = "held" | "released";

export class LedgerClock {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #samples: Sample[] = [];
  #offsetMs = 0;
  #heldSinceMs: number | undefined;
  #jumpMs = 0;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Unix milliseconds. */
  nowMs(): number {
    return this.#clock.monotonicMs() + this.#offsetMs;
  }

  get isHeld(): boolean {
    return this.#heldSinceMs !== undefined;
  }

  /** By how much it jumped. */
  get jumpMs(): number {
    return this.#jumpMs;
  }

  /** `toldMs` is what Postgres said between the two moments of monotonic time. */
  sample(toldMs: number, beforeMs: number, afterMs: number): ClockChange | undefined {
    const sample = { offsetMs: toldMs - (beforeMs + afterMs) / 2, roundTripMs: afterMs - beforeMs };
    if (this.#samples.length === 0) return this.#follow([sample]);
    this.#jumpMs = sample.offsetMs - this.#offsetMs;
    if (Math.abs(this.#jumpMs) <= JUMP_MS) return this.#follow([...this.#samples, sample]);
    if (this.#heldSinceMs === undefined) {
      this.#heldSinceMs = afterMs;
      return "held";
    }
    return afterMs - this.#heldSinceMs > HOLD_ENDS_AFTER_MS ? this.#follow([sample]) : undefined;
  }

  /** An operator says that it is right as it is now. */
  release(): void {
    this.#samples = [];
    this.#heldSinceMs = undefined;
  }

  #follow(samples: Sample[]): ClockChange | undefined {
    const wasHeld = this.isHeld;
    this.#heldSinceMs = undefined;
    this.#samples = samples.slice(-SAMPLES_KEPT);
    this.#offsetMs = this.#samples.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a)).offsetMs;
    return wasHeld ? "released" : undefined;
  }
}
