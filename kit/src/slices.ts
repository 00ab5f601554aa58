/**
 * Long computations in slices: a generator that yields now and then, run at once or with turns for others between.
 *
 * One body serves both, so a short list costs no promise and a long one holds nobody up.
 */
import type { Turns } from "./turns.ts";

export type Slices<Result> = Generator<void, Result>;

/** Here and now. */
export function finish<Result>(slices: Slices<Result>): Result {
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
  }
}

/** Without `turns` as `finish`. */
export async function finishInTurns<Result>(slices: Slices<Result>, turns: Turns | undefined): Promise<Result> {
  if (turns === undefined) return finish(slices);
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
    if (turns.isOver()) await turns.next();
  }
}
