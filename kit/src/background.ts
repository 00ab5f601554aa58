/**
 * How much of the time work that can wait may take, where the machine gives this program less than a core.
 *
 * Nothing is held back while a core is there whenever it is wanted. Once the kernel has kept a core from us for long (a
 * quota is used up, others want it as well), work that can wait takes a part of what there was, and rests between short
 * pieces, so that what can't wait finds the rest. From there on it feels its way up, and down again.
 */
export interface Background {
  /** Before a piece of work. Some milliseconds later, at `pieceMs`, it should end. */
  begin(): Piece;
  readonly pieceMs: number;
  /** Until work that can wait is due again; 0 = now. */
  restMs(): number;
  /** Part of the time, 0 < share ≤ 1. */
  readonly share: number;
}

export interface Piece {
  end(): void;
}

export interface BackgroundParts {
  readonly monotonicMs: () => number;
  /** Undefined = not known here. */
  readonly coreUse: () => CoreUse | undefined;
}

/** Of this thread, since it began. */
export interface CoreUse {
  readonly computedMs: number;
  /** It had work and no core. */
  readonly waitedMs: number;
}

const LONGEST_PIECE_MS = 10;
const SHORTEST_PIECE_MS = 1;
/** A piece is this long times the share. */
const PIECE_MS_A_SHARE = 40;
/** Longer than the turn that a scheduler gives to another program. */
const KEPT_AWAY_MS = 20;
/** So that the longest list comes to an end. */
const LEAST_SHARE = 0.025;
/** Where nothing was held back, what there was is known: that much of it leaves room. */
const OF_WHAT_THERE_WAS = 0.5;
const DOWN = 0.7;
const UP_A_SECOND = 0.1;
const MS_A_SECOND = 1_000;

export function createBackground({ monotonicMs, coreUse }: BackgroundParts): Background {
  let share = 1;
  let dueAtMs = 0;
  let endedAtMs = monotonicMs();

  function learn(workedMs: number, keptMs: number): void {
    if (keptMs >= KEPT_AWAY_MS) {
      const wanted = share > OF_WHAT_THERE_WAS ? (workedMs / (workedMs + keptMs)) * OF_WHAT_THERE_WAS : share * DOWN;
      share = Math.max(LEAST_SHARE, wanted);
    } else {
      const seconds = Math.min(1, (monotonicMs() - endedAtMs) / MS_A_SECOND); // unused time teaches nothing
      share = Math.min(1, share * (1 + UP_A_SECOND * seconds));
    }
  }

  return {
    begin() {
      const before = coreUse();
      return {
        end() {
          const after = coreUse();
          if (before === undefined || after === undefined) return;
          const workedMs = after.computedMs - before.computedMs;
          learn(workedMs, after.waitedMs - before.waitedMs);
          const nowMs = monotonicMs();
          endedAtMs = nowMs;
          dueAtMs = Math.max(dueAtMs, nowMs) + (workedMs / share - workedMs);
        },
      };
    },
    get pieceMs() {
      return Math.min(LONGEST_PIECE_MS, Math.max(SHORTEST_PIECE_MS, share * PIECE_MS_A_SHARE));
    },
    restMs: () => Math.max(0, dueAtMs - monotonicMs()),
    get share() {
      return share;
    },
  };
}
