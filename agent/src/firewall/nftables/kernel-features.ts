/**
 * What this kernel's nf_tables can do, found out by doing it: version numbers say little, distributions backport.
 *
 * A table of its own, without a chain, is made and taken away again; no packet ever meets it.
 */
import type { KernelEntry } from "../backend.ts";
import type { Conversation } from "./conversation.ts";
import { type Element, elementsRequest, entriesIn } from "./element.ts";
import { FLAG, MESSAGE } from "./protocol.ts";
import { tableError } from "./table-error.ts";
import { deleteTable, getSet, newSet, newTable } from "./table-requests.ts";
import { setIn } from "./table-view.ts";

export interface KernelFeatures {
  /** Packets and bytes an element; since Linux 5.7. */
  readonly counts: boolean;
  /** Adding an element anew renews its timeout; since Linux 6.12. Before, it is silently kept. */
  readonly renews: boolean;
  /** Removing what is absent is no error; since Linux 6.3. */
  readonly forgives: boolean;
  /** How many elements a set has is told with it; since Linux 6.17. */
  readonly sizes: boolean;
}

const TRIAL_TABLE = "fleetban-trial";
const TRIAL_SET = { family: 4, set: "trial" } as const;
const LONG_SECONDS = 1_000;
const SHORT_SECONDS = 100;

/** Throws a BackendError when there is no nf_tables here. */
export function tryFeatures(kernel: Conversation): KernelFeatures {
  kernel.transact([deleteTable(4, TRIAL_TABLE)]); // of a trial that was cut short
  const [made] = kernel.transact([newTable(4, TRIAL_TABLE)]);
  if (made !== undefined) throw tableError("reach nf_tables", made[1]);
  try {
    const counts = makeSet(kernel, true);
    if (!counts && !makeSet(kernel, false)) throw tableError("create a set with timeouts", lastErrno(kernel));
    return { counts, renews: renews(kernel), forgives: forgives(kernel), sizes: sizes(kernel) };
  } finally {
    kernel.transact([deleteTable(4, TRIAL_TABLE)]);
  }
}

function makeSet(kernel: Conversation, counts: boolean): boolean {
  return kernel.transact([setRequest(counts)]).size === 0;
}

function lastErrno(kernel: Conversation): number {
  return [...kernel.transact([setRequest(false)]).values()][0] ?? 0;
}

function setRequest(counts: boolean) {
  return newSet({ name: TRIAL_SET.set, family: 4, maxEntries: 2, counts }, TRIAL_TABLE);
}

function renews(kernel: Conversation): boolean {
  for (const timeoutSeconds of [SHORT_SECONDS, LONG_SECONDS]) {
    const errors = kernel.transact([trial(MESSAGE.newElement, 1, timeoutSeconds, FLAG.create)]);
    if (errors.size > 0) return false;
  }
  const found: KernelEntry[] = [];
  kernel.ask(trial(MESSAGE.getElement, 1, 0, 0), (message) => found.push(...entriesIn(message, 32)));
  return (found[0]?.timeoutSeconds ?? 0) > SHORT_SECONDS;
}

function forgives(kernel: Conversation): boolean {
  return kernel.transact([trial(MESSAGE.destroyElement, 2, 0, 0)]).size === 0;
}

function sizes(kernel: Conversation): boolean {
  let isTold = false;
  kernel.ask(getSet(TRIAL_SET.family, TRIAL_SET.set, TRIAL_TABLE), (message) => {
    isTold ||= setIn(message, TRIAL_SET.family).entries !== undefined;
  });
  return isTold;
}

function trial(type: number, last: number, timeoutSeconds: number, flags: number) {
  const element: Element = { key: Uint8Array.of(192, 0, 2, last), timeoutSeconds };
  return elementsRequest(type, flags, TRIAL_SET, [element], TRIAL_TABLE);
}
