/**
 * What a ledger does by itself, each a named task until the signal aborts: follow the other replicas, drop what has
 * expired, store kept snapshots, keep partitions, mind the clock. Postgres away is waited out: all of it comes round.
 */
import type { Log } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import type { Store } from "../store/store.ts";
import { isPassing } from "../store/store-error.ts";
import type { Applied } from "./apply-changes.ts";
import { CHANNEL } from "./change-queries.ts";
import { type ClockHold, createClockHold } from "./clock-hold.ts";
import { EXPIRED_A_COMMIT, listsWithExpired, planExpiry } from "./expiry.ts";
import { decideHeld } from "./held-sightings.ts";
import { keepSnapshot } from "./keep.ts";
import type { LedgerClock } from "./ledger-clock.ts";
import { forgetOld, keepPartitions } from "./retention.ts";
import type { WriteParts, WriteRequest } from "./write-changes.ts";

export interface TaskParts extends WriteParts {
  readonly store: Store;
  readonly ledgerClock: LedgerClock;
  readonly log: Log;
  write(request: WriteRequest): Promise<Applied>;
  readAddresses(): Promise<void>;
}

const POLL_MS = 1_000;
/** A notification of an own commit comes before its answer: what is followed by itself is not read. */
const NOTIFIED_REST_MS = 3;
const EXPIRY_EVERY_MS = 30_000;
const ADDRESSES_EVERY_MS = 10_000;
const RETENTION_EVERY_MS = 3_600_000;
const RETRY_MS = 1_000;

export function runLedgerTasks(parts: TaskParts, signal: AbortSignal): Promise<void> {
  const { clock } = parts;
  const clockHold = createClockHold(parts.store, parts.ledgerClock);
  const every = (name: string, everyMs: number, once: () => Promise<unknown>) => async (stop: AbortSignal) => {
    for (;;) {
      stop.throwIfAborted();
      const isDone = await attempt(parts, name, once);
      await clock.sleep(isDone ? everyMs : Math.min(RETRY_MS, everyMs), stop);
    }
  };
  return runTasks(
    {
      listen: (stop) => listen(parts, stop),
      poll: every("poll", POLL_MS, () => poll(parts, clockHold)),
      addresses: every("addresses", ADDRESSES_EVERY_MS, () => parts.readAddresses()),
      expiry: every("expiry", EXPIRY_EVERY_MS, () => expire(parts, signal)),
      retention: every("retention", RETENTION_EVERY_MS, () => retain(parts)),
    },
    signal,
  );
}

/** False = it failed, and comes round again sooner. */
async function attempt({ log }: TaskParts, task: string, once: () => Promise<unknown>): Promise<boolean> {
  try {
    await once();
    return true;
  } catch (error) {
    if (isPassing(error)) log.warn("ledger.task_failed", { task, error });
    else log.error("ledger.task_failed", { task, error });
    return false;
  }
}

async function listen(parts: TaskParts, signal: AbortSignal): Promise<never> {
  const { store, memory, clock } = parts;
  const heard = (payload: string | undefined) => {
    if (payload !== undefined && Number(payload) <= memory.seen) return;
    clock.timer(NOTIFIED_REST_MS, () => {
      if (payload !== undefined && Number(payload) <= memory.seen) return;
      memory.catchUp().catch(() => undefined); // the poll tries again, and tells
    });
  };
  return store.listen(CHANNEL, heard, signal);
}

async function poll(parts: TaskParts, clockHold: ClockHold): Promise<void> {
  const { memory, store, ledgerClock, log } = parts;
  const wasHeld = ledgerClock.isHeld;
  await memory.catchUp();
  if (ledgerClock.isHeld && !wasHeld) log.error("ledger.clock_jumped", { jumpMs: ledgerClock.jumpMs });
  if (await clockHold.mind()) {
    log.info("ledger.clock_released");
    await decideAllHeld(parts);
  }
  for (const state of memory.states) {
    const snapshot = await keepSnapshot(store, state);
    if (snapshot === undefined) continue;
    state.addKept(snapshot);
    log.info("ledger.snapshot_kept", {
      list: state.list.name,
      revision: snapshot.revision,
      listings: snapshot.listings,
    });
  }
}

async function decideAllHeld({ lane, memory, policy, ceiling }: TaskParts): Promise<void> {
  for (;;) {
    const apply = { key: memory.key, lists: memory.lists, ceiling: ceiling() };
    const parts = { ...apply, epoch: memory.epoch, policy: policy() };
    const applied = await lane.transaction((sql) => decideHeld(sql, parts));
    if (applied === undefined) return;
    if (!memory.offer(applied.lists)) await memory.catchUp();
  }
}

async function expire({ store, memory, ledgerClock, write, clock }: TaskParts, signal: AbortSignal): Promise<void> {
  if (ledgerClock.isHeld) return;
  for (const list of await listsWithExpired(store.sql)) {
    for (;;) {
      const { list: expiring } = memory.state(list);
      const { changed } = await write({
        cause: { kind: "expiry" },
        plan: (sql, now) => planExpiry(sql, expiring, now),
      });
      if (changed < EXPIRED_A_COMMIT) break;
      await clock.sleep(NOTIFIED_REST_MS, signal); // gives the row back to fresh bans
    }
  }
}

async function retain({ store, ledgerClock, policy }: TaskParts): Promise<void> {
  await keepPartitions(store, ledgerClock.nowMs(), policy());
  await forgetOld(store.sql, policy());
}
