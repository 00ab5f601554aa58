/**
 * Lists of which a snapshot or a long delta is being unpacked, which takes seconds on a slow machine: their messages wait for
 * it in their order, those of other lists don't (keeps invariant 7: a fresh ban does not wait for a feed).
 */

import { LIST_EXEMPT } from "@fleetban/proto/model/listing";
import { changesIn } from "@fleetban/proto/wire/delta";
import type { CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import { isLongDelta } from "../mirror/long-delta.ts";
import type { SessionEnd } from "./state.ts";

export interface Unpacking {
  /** False = nothing of its list is being unpacked: the message is the caller's, now. */
  take(message: CoordinatorMessage, act: () => Promise<SessionEnd | undefined>): Promise<boolean>;
  settled(): Promise<void>;
}

interface Queue {
  waiting: number;
  last: Promise<void>;
}

/** Beyond it the stream is held up instead of our memory filled. */
const MOST_WAITING = 64;

export function createUnpacking(finish: (end: SessionEnd) => void, signal: AbortSignal): Unpacking {
  const queues = new Map<number, Queue>();

  async function carryOut(act: () => Promise<SessionEnd | undefined>): Promise<void> {
    if (signal.aborted) return;
    try {
      const end = await act();
      if (end !== undefined && !signal.aborted) finish(end);
    } catch (cause) {
      if (!signal.aborted) finish({ kind: "lost", cause });
    }
  }

  function enqueue(list: number, queue: Queue, act: () => Promise<SessionEnd | undefined>): void {
    queue.waiting += 1;
    queue.last = queue.last.then(async () => {
      await carryOut(act);
      queue.waiting -= 1;
      if (queue.waiting === 0) queues.delete(list);
    });
    queues.set(list, queue);
  }

  return {
    async take({ kind }, act) {
      const list = listIn(kind);
      if (list === undefined) return false;
      const queue = queues.get(list);
      if (queue === undefined && !isLong(kind)) return false;
      enqueue(list, queue ?? { waiting: 0, last: Promise.resolve() }, act);
      if (queue !== undefined && queue.waiting > MOST_WAITING) await queue.last;
      return true;
    },
    async settled() {
      await Promise.all([...queues.values()].map(({ last }) => last));
    },
  };
}

function listIn(kind: CoordinatorMessage["kind"]): number | undefined {
  const isOfList = kind?.$case === "delta" || kind?.$case === "snapshotChunk" || kind?.$case === "listRemoved";
  return isOfList ? kind.value.list : undefined;
}

function isLong(kind: CoordinatorMessage["kind"]): boolean {
  if (listIn(kind) === LIST_EXEMPT) return false; // what denies comes after it
  if (kind?.$case === "delta") return isLongDelta(changesIn(kind.value));
  return kind?.$case === "snapshotChunk" && kind.value.chunk + 1 === kind.value.chunks;
}
