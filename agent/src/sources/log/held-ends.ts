/**
 * Ends of bans that are not believed yet: fail2ban logs the same `Unban` when somebody lifts a ban and when it or the
 * jail stops, and may say only afterwards that it stops.
 */
import type { SeenEnd } from "../seen.ts";

const HOLD_MS = 3_000;
/** More at once is a stop, whatever was said. */
const HELD_MAX = 10_000;

export class HeldEnds {
  #held: SeenEnd[] = [];
  /** Stops seen lately: of a jail, or of the server (the empty name). */
  readonly #stoppedAtMs = new Map<string, number>();

  readonly #startedAtMs = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  hold(end: SeenEnd): void {
    if (this.#held.length < HELD_MAX) this.#held.push(end);
  }

  stopped(jail: string | undefined, atMs: number): void {
    this.#stoppedAtMs.set(jail ?? "", atMs);
  }

  started(jail: string | undefined, atMs: number): void {
    this.#startedAtMs.set(jail ?? "", atMs);
  }

  /** Those that have waited long enough at that moment. */
  release(nowMs: number): readonly SeenEnd[] {
    return this.#takeOut((end) => end.atMs + HOLD_MS <= nowMs);
  }

  /** Those of one ban that begins anew: what came before it is decided. */
  releaseOf({ address, jail }: Pick<SeenEnd, "address" | "jail">): readonly SeenEnd[] {
    return this.#takeOut((end) => end.address === address && end.jail === jail);
  }

  #takeOut(isDue: (end: SeenEnd) => boolean): readonly SeenEnd[] {
    const due = this.#held.filter(isDue);
    if (due.length > 0) this.#held = this.#held.filter((end) => !isDue(end));
    return due.map((end) => (this.#isOfStop(end) ? { ...end, cause: "stopped" } : end));
  }

  #isOfStop({ jail, atMs }: SeenEnd): boolean {
    return [jail, ""].some((name) => {
      const stoppedAtMs = this.#stoppedAtMs.get(name);
      if (stoppedAtMs === undefined || Math.abs(stoppedAtMs - atMs) > STOP_MS) return false;
      const startedAtMs = Math.max(this.#startedAtMs.get(jail) ?? 0, this.#startedAtMs.get("") ?? 0);
      return startedAtMs < stoppedAtMs || atMs < startedAtMs;
    });
  }
}

/** Unbans of a stop follow its mark within this time, one process a ban. */
const STOP_MS = 60_000;
