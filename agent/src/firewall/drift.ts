/** What reconcile found different, counted by kind since the agent's start. */

export interface Drift {
  /** Entries missing or foreign. */
  entries: number;
  /** Sets emptied or destroyed. */
  sets: number;
  /** Times that the rules were gone or altered. */
  rules: number;
}

export function noDrift(): Drift {
  return { entries: 0, sets: 0, rules: 0 };
}
