/**
 * The agent's copy of its lists in memory: what the coordinator told last, proven by digests (keeps invariant 2).
 *
 * A delta that does not fit or does not prove itself changes nothing, and the coordinator is asked for a snapshot. A
 * list leaves by `removeList`, never by being absent from a message (PROTOCOL rule 5). Saving it is `mirror-file.ts`.
 */

import type { Clock } from "@fleetban/kit/clock";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { sumInSlices } from "@fleetban/proto/model/blocklist-columns";
import type { Epoch, List, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import { carryOut, type DeltaChanges, differenceAfter } from "./apply-delta.ts";
import type { Held, MirrorChange, MirroredList, Position } from "./held.ts";
import { turnsForDelta } from "./long-delta.ts";

/** A delta of the wire has all of it. */
export interface MirrorDelta extends DeltaChanges {
  readonly list: ListNo;
  readonly epoch: Epoch;
  readonly fromRevision: Revision;
  readonly toRevision: Revision;
  readonly committedAtMs: number;
  /** What is put, where it is there as columns already. */
  readonly putColumns?: readonly ListingColumns[];
}

export type AppliedDelta =
  | { readonly kind: "applied"; readonly changes: readonly MirrorChange[] }
  | { readonly kind: "mismatch"; readonly reason: string };

export interface Replaced {
  readonly before: Blocklist | undefined;
  readonly after: Blocklist;
  /** The ledger was restored or replaced between the two. */
  readonly isNewEpoch: boolean;
}

export class Mirror {
  readonly #clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly #byNumber = new Map<ListNo, MirroredList>();
  #lists: readonly MirroredList[] | undefined;

  constructor(clock: Pick<Clock, "monotonicMs" | "sleep">) {
    this.#clock = clock;
  }

  /** The same array until something changes. */
  lists(): readonly MirroredList[] {
    this.#lists ??= [...this.#byNumber.values()];
    return this.#lists;
  }

  get(list: ListNo): MirroredList | undefined {
    return this.#byNumber.get(list);
  }

  /** Adds lists and renews what is said of them; removes none. */
  setLists(lists: readonly List[]): void {
    for (const list of lists) this.#byNumber.set(list.list, { list, held: this.get(list.list)?.held });
    this.#lists = undefined;
  }

  positions(): readonly Position[] {
    return this.lists().flatMap(({ list, held }) =>
      held === undefined
        ? []
        : [{ list: list.list, epoch: held.epoch, revision: held.revision, digest: held.blocklist.digest }],
    );
  }

  /** One at a time a list. */
  async applyDelta(delta: MirrorDelta): Promise<AppliedDelta> {
    const held = this.get(delta.list)?.held;
    const misfit = misfitOf(held, delta);
    if (misfit !== undefined || held === undefined) return { kind: "mismatch", reason: misfit ?? "" };
    const turns = turnsForDelta(this.#clock, delta.remove.length + delta.put.length);
    const difference = await differenceAfter(held.blocklist, delta, turns);
    if (difference !== undefined) return { kind: "mismatch", reason: difference };
    const changes = await carryOut(held.blocklist, delta, turns);
    const { toRevision: revision, committedAtMs } = delta;
    this.#hold(delta.list, { ...held, revision, committedAtMs });
    return { kind: "applied", changes };
  }

  /** A snapshot, or what was loaded from disk. The list must have been named by `setLists`. */
  replace(list: ListNo, held: Held): Replaced {
    const before = this.get(list)?.held;
    this.#hold(list, held);
    const isNewEpoch = before !== undefined && before.epoch !== held.epoch;
    return { before: before?.blocklist, after: held.blocklist, isNewEpoch };
  }

  removeList(list: ListNo): MirroredList | undefined {
    const removed = this.get(list);
    this.#byNumber.delete(list);
    this.#lists = undefined;
    return removed;
  }

  /** Sums what a snapshot was believed for. False = it differs: drop it and ask again. */
  async proveDigest(list: ListNo): Promise<boolean> {
    const held = this.get(list)?.held;
    if (held === undefined) return true;
    const turns = createBackgroundTurns(this.#clock);
    const { blocklist } = held;
    const claimed = blocklist.digest; // of the same moment as the columns
    const slices = sumInSlices(blocklist, blocklist.unsortedColumns());
    let step = slices.next();
    for (; step.done !== true; step = slices.next()) if (turns.isOver()) await turns.next();
    if (step.value !== claimed) return false;
    const now = this.get(list)?.held;
    if (now?.blocklist === blocklist) this.#hold(list, { ...now, isDigestProven: true });
    return true;
  }

  #hold(list: ListNo, held: Held): void {
    const mirrored = this.get(list);
    if (mirrored === undefined) throw new Error(`internal error: list ${list} is held and was never named`);
    this.#byNumber.set(list, { ...mirrored, held });
    this.#lists = undefined;
  }
}

function misfitOf(held: Held | undefined, { epoch, fromRevision }: MirrorDelta): string | undefined {
  if (held === undefined) return "a delta, and no mirror of this list";
  if (held.epoch !== epoch) return `epoch ${epoch} where the mirror has ${held.epoch}`;
  if (held.revision !== fromRevision) return `from revision ${fromRevision} where the mirror has ${held.revision}`;
  return undefined;
}
