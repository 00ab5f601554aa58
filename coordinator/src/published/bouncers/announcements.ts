/**
 * What bouncers have been told of one edition key, step by step: each step is what changed since the one before, told to
 * every bouncer that is behind it. Older steps are put together, so that neither their rows nor their number grows without
 * end; whoever is further behind than what is kept is told everything.
 */
import { finishInTurns } from "@fleetban/kit/slices";
import type { Turns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Edition } from "../edition.ts";
import { difference } from "./diff.ts";
import { mergeSteps, rowsOf, type Step } from "./steps.ts";

export interface AnnouncementsParts {
  readonly turnsFor: () => Turns;
  /** Ever larger: a step's number says whose step it is, so that no other edition key's is taken for it. */
  readonly nextNo: () => number;
}

export interface Announcements {
  /** Takes the edition in; gives the number of the newest step. */
  advance(edition: Edition, now: UnixSeconds): Promise<number>;
  /** Steps after that one, the oldest first; perhaps with some before it. Undefined = some are gone. */
  since(no: number): readonly Step[] | undefined;
}

const ROWS_KEPT = 500_000;
/** Of each size; the older half becomes one of the next size. */
const STEPS_A_SIZE = 64;
/** Ends that have moved on, a step and family. */
const MOVED_A_STEP = 128;
/** While ends wait to be told. */
const STEP_EACH_SECONDS = 5;

export function createAnnouncements({ turnsFor, nextNo }: AnnouncementsParts): Announcements {
  /** By size: those of the first are what was told, the newest last. */
  let sizes: readonly (readonly Step[])[] = [[]];
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
    const changes = {
      added: families.map(({ added }) => added),
      removed: families.map(({ removed }) => removed),
      changed: families.map(({ changed }) => changed),
    };
    // What the first edition holds is told whole to everybody who asks.
    if (isFirst) newest = nextNo();
    else if (rowsOf(changes) > 0) {
      const step = { ...changes, from: newest, no: nextNo() };
      newest = step.no;
      sizes = await compacted([[...(sizes[0] ?? []), step], ...sizes.slice(1)], turns);
    }
    return newest;
  }

  return {
    advance(edition, now) {
      const done = advancing.then(() => take(edition, now));
      advancing = done.catch(() => undefined); // told to whoever waits for it
      return done;
    },
    since(no) {
      const steps = inOrder(sizes);
      if (no > newest || no < (steps[0]?.from ?? newest)) return undefined;
      return steps.filter((step) => step.no > no);
    },
  };
}

function inOrder(sizes: readonly (readonly Step[])[]): Step[] {
  return sizes.toReversed().flat();
}

async function compacted(sizes: readonly (readonly Step[])[], turns: Turns): Promise<readonly (readonly Step[])[]> {
  const kept: Step[][] = [];
  let carried: Step | undefined;
  for (let size = 0; size < sizes.length || carried !== undefined; size += 1) {
    const steps = [...(sizes[size] ?? []), ...(carried === undefined ? [] : [carried])];
    const half = steps.length > STEPS_A_SIZE ? steps.splice(0, STEPS_A_SIZE / 2) : [];
    carried = half.length === 0 ? undefined : await finishInTurns(mergeSteps(half), turns);
    kept.push(steps);
  }
  return bounded(kept);
}

function bounded(sizes: readonly (readonly Step[])[]): readonly (readonly Step[])[] {
  const steps = inOrder(sizes);
  let rows = 0;
  const last = steps.findLastIndex((step) => {
    rows += rowsOf(step);
    return rows > ROWS_KEPT;
  });
  const gone = new Set(steps.slice(0, last + 1));
  return gone.size === 0 ? sizes : sizes.map((each) => each.filter((step) => !gone.has(step)));
}
