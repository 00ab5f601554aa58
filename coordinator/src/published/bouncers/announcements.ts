/**
 * What bouncers have been told of one edition key, step by step: each step is what changed since the one before, told to
 * every bouncer that is behind it. The newest steps are kept, bounded in rows; whoever is further behind is told everything.
 */
import { finishInTurns } from "@fleetban/kit/slices";
import type { Turns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Edition } from "../edition.ts";
import { difference } from "./diff.ts";

export interface Step {
  readonly no: number;
  /** A column a family in each. */
  readonly added: readonly ListingColumns[];
  readonly removed: readonly ListingColumns[];
  readonly changed: readonly ListingColumns[];
}

export interface Announcements {
  /** Takes the edition in; gives the number of the newest step. */
  advance(edition: Edition, now: UnixSeconds): Promise<number>;
  /** Steps after that one, the oldest first; undefined = some are gone. */
  since(no: number): readonly Step[] | undefined;
}

const ROWS_KEPT = 500_000;
/** Ends that have moved on, a step and family. */
const MOVED_A_STEP = 128;
/** While ends wait to be told. */
const STEP_EACH_SECONDS = 5;

export function createAnnouncements(turnsFor: () => Turns): Announcements {
  let steps: Step[] = [];
  let newest = 0;
  let announced: readonly ListingColumns[] | undefined;
  let taken: { readonly edition: Edition; readonly at: UnixSeconds; readonly isWaiting: boolean } | undefined;
  let advancing: Promise<unknown> = Promise.resolve();

  async function take(edition: Edition, now: UnixSeconds): Promise<number> {
    const isSame = taken?.edition === edition;
    if (isSame && (!taken?.isWaiting || now - taken.at < STEP_EACH_SECONDS)) return newest;
    const turns = turnsFor();
    const families = [];
    for (const [at, columns] of edition.families.entries()) {
      families.push(await finishInTurns(difference(announced?.[at], columns, now, MOVED_A_STEP), turns));
    }
    const isFirst = announced === undefined;
    announced = families.map((family) => family.announced);
    taken = { edition, at: now, isWaiting: families.some(({ waiting }) => waiting > 0) };
    const step = {
      no: newest + 1,
      added: families.map(({ added }) => added),
      removed: families.map(({ removed }) => removed),
      changed: families.map(({ changed }) => changed),
    };
    // What the first edition holds is told whole to everybody who asks.
    if (isFirst || rowsOf(step) > 0) newest = step.no;
    if (!isFirst && rowsOf(step) > 0) steps = bounded([...steps, step]);
    return newest;
  }

  return {
    advance(edition, now) {
      const done = advancing.then(() => take(edition, now));
      advancing = done.catch(() => undefined); // told to whoever waits for it
      return done;
    },
    since(no) {
      const after = steps.filter((step) => step.no > no);
      return no + after.length === newest ? after : undefined;
    },
  };
}

function rowsOf({ added, removed, changed }: Step): number {
  return [...added, ...removed, ...changed].reduce((sum, { count }) => sum + count, 0);
}

function bounded(steps: readonly Step[]): Step[] {
  let rows = 0;
  const from = steps.findLastIndex((step) => {
    rows += rowsOf(step);
    return rows > ROWS_KEPT;
  });
  return steps.slice(from + 1);
}
