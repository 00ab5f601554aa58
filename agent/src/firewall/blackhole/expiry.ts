/** Tells when members end: one look a second over those of that second only, whatever the number of all. */
import type { Clock, Timer } from "@fleetban/kit/clock";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { TimedSet } from "./timed-set.ts";

export interface Ended {
  readonly set: TimedSet;
  readonly prefix: Prefix;
}

export interface Expiry {
  /** `end` in Unix seconds, 0 = none. What was noted before for it no longer counts. */
  note(set: TimedSet, prefix: Prefix, end: number): void;
  close(): void;
}

const LOOK_EVERY_MS = 1_000;

/** `now` in Unix seconds, a clock that runs evenly. */
export function createExpiry(
  clock: Pick<Clock, "timer">,
  now: () => number,
  onEnded: (ended: readonly Ended[]) => void,
): Expiry {
  const endingBySecond = new Map<number, Ended[]>();
  let lookedAt = Math.floor(now());
  let timer: Timer = clock.timer(LOOK_EVERY_MS, look);

  function look(): void {
    const second = Math.floor(now());
    const ended: Ended[] = [];
    for (let past = lookedAt + 1; past <= second; past += 1) {
      for (const one of endingBySecond.get(past) ?? []) if (one.set.endOf(one.prefix) === past) ended.push(one);
      endingBySecond.delete(past);
    }
    lookedAt = second;
    if (ended.length > 0) onEnded(ended);
    timer = clock.timer(LOOK_EVERY_MS, look);
  }

  return {
    note(set, prefix, end) {
      if (end === 0) return;
      const second = Math.max(end, lookedAt + 1);
      const ending = endingBySecond.get(second);
      if (ending === undefined) endingBySecond.set(second, [{ set, prefix }]);
      else ending.push({ set, prefix });
    },
    close: () => timer.cancel(),
  };
}
