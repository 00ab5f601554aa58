/** Which of a prefix' strikes a policy keeps, which it takes back, and which it adds. Pure. */
import type { Strike } from "../policy/evidence.ts";
import type { ReplayedStrike } from "./replay-offender.ts";

export interface StrikeChanges {
  readonly voided: readonly Strike[];
  readonly added: readonly ReplayedStrike[];
}

/** `stored`: those that sightings of the window made. */
export function compareStrikes(stored: readonly Strike[], replayed: readonly ReplayedStrike[]): StrikeChanges {
  const left = [...stored];
  const added = replayed.filter((strike) => {
    const at = left.findIndex((one) => isSame(one, strike));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return { voided: left, added };
}

function isSame(a: Strike, b: Strike): boolean {
  return a.struckAt === b.struckAt && a.until === b.until && a.rungSeconds === b.rungSeconds;
}
