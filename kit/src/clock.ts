/**
 * Time as a part that is handed in: the system's clock in the programs, a virtual one in tests.
 *
 * `nowMs` may jump (somebody sets the machine's clock); durations are measured with `monotonicMs` only.
 */
import type { Background } from "./background.ts";
import type { Brand } from "./brand.ts";

export type Milliseconds = Brand<number, "Milliseconds">;

export interface Timer {
  /** Does nothing once the timer has run. */
  cancel(): void;
}

export interface Clock {
  /** Unix milliseconds. */
  nowMs(): number;
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Rejects with `signal.reason` when the signal aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  timer(durationMs: number, run: () => void): Timer;
  /** Where work that can wait has to give way. */
  readonly background?: Background;
}

export function ms(milliseconds: number): Milliseconds {
  return milliseconds as Milliseconds;
}
