/**
 * The one writer of sightings: idle it commits at once, busy it commits what gathered during the last commit.
 *
 * Batches keep their order. A commit that fails because Postgres is away is tried again until it is back; one that fails
 * by itself is tried batch by batch, so that a bad one takes no other with it. How much waits here is bounded by the
 * streams: each has its own window of what it may send unacknowledged.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Cover } from "../guardrails/cover.ts";
import type { PolicySource } from "../policy/policy.ts";
import type { Lane } from "../store/store.ts";
import { isDiskFull, isPassing } from "../store/store-error.ts";
import { answerTo, type CommitParts, commitGroup, type PendingBatch } from "./commit-sightings.ts";
import type { CommittedSightings, SightingBatch } from "./ledger.ts";
import type { LedgerClock } from "./ledger-clock.ts";
import type { Memory } from "./memory.ts";
import { STALE_EPOCH } from "./stale-epoch.ts";
import { STALE_POLICY } from "./stale-policy.ts";

export interface WriterParts extends Pick<CommitParts, "quotas"> {
  readonly policy: PolicySource;
  readonly readPolicy: () => Promise<void>;
  readonly ceiling: () => Cover;
  readonly lane: Lane;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly ledgerClock: LedgerClock;
  readonly random: Random;
  readonly log: Log;
  readonly observe: CommitObserver;
}

/** Told of what is durable. */
export interface CommitObserver {
  sightings(outcome: string, count: number): void;
  committed(seconds: number): void;
}

export interface Writer {
  commit(batch: SightingBatch): Promise<CommittedSightings>;
  /** The commit that is being tried again and again finds no room on the database's disk. */
  readonly isStoreFull: boolean;
  /** Refuses what waits. */
  stop(reason: unknown): void;
}

interface Waiting extends PendingBatch {
  resolve(committed: CommittedSightings): void;
  reject(reason: unknown): void;
}

const SIGHTINGS_A_COMMIT = 2_000;
const PAUSE = { baseMs: 10, maxMs: 500 };

export function createWriter(parts: WriterParts): Writer {
  const { clock, log } = parts;
  const stopped = new AbortController();
  let waiting: Waiting[] = [];
  let isWriting = false;
  let isStoreFull = false;

  async function write(): Promise<void> {
    isWriting = true;
    try {
      while (waiting.length > 0) await commitWhole(takeGroup());
    } finally {
      isWriting = false;
    }
  }

  function takeGroup(): Waiting[] {
    let [count, sightings] = [0, 0];
    for (const { batch } of waiting) {
      if (count > 0 && sightings + batch.sightings.length > SIGHTINGS_A_COMMIT) break;
      sightings += batch.sightings.length;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async function commitWhole(group: Waiting[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (stopped.signal.aborted) return refuse(group, stopped.signal.reason);
      try {
        await commitOnce(parts, group);
        isStoreFull = false;
        return;
      } catch (error) {
        isStoreFull = isDiskFull(error);
        if (error === STALE_EPOCH) await parts.memory.catchUp().catch(() => undefined);
        else if (error === STALE_POLICY) await parts.readPolicy().catch(() => undefined);
        else if (!isPassing(error)) return commitApart(group, error);
        else if (attempt === 1) log.warn("ledger.commit_failed", { sightings: sightingsOf(group), error });
      }
      await clock.sleep(backoffMs(attempt, parts.random, PAUSE), stopped.signal).catch(() => undefined);
    }
  }

  async function commitApart(group: Waiting[], error: unknown): Promise<void> {
    const [only] = group;
    if (group.length === 1 && only !== undefined) {
      log.error("ledger.batch_refused", { agentNo: only.batch.agentNo, firstSeq: only.batch.firstSeq, error });
      return only.reject(error);
    }
    for (const one of group) await commitWhole([one]);
  }

  return {
    commit(batch) {
      stopped.signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<CommittedSightings>();
      waiting.push({ batch, isOverQuota: new Map(), outcomes: [], resolve, reject });
      // Owned by the batches in it: each is resolved or rejected.
      if (!isWriting) void write();
      return promise;
    },
    get isStoreFull() {
      return isStoreFull;
    },
    stop(reason) {
      stopped.abort(reason);
      refuse(waiting, reason);
      waiting = [];
    },
  };
}

async function commitOnce(parts: WriterParts, group: readonly Waiting[]): Promise<void> {
  const { lane, memory, clock, ledgerClock, log, policy, quotas } = parts;
  const begunMs = clock.monotonicMs();
  const committed = await lane.transaction((sql, commitNow) =>
    commitGroup(
      sql,
      {
        ...{ key: memory.key, lists: memory.lists, epoch: memory.epoch, policy: policy(), quotas },
        ceiling: parts.ceiling(),
        monotonicMs: clock.monotonicMs(),
        isHeld: ledgerClock.isHeld,
        onFailed: (prefix, error) => log.error("ledger.decide_failed", { prefix, error }),
      },
      group,
      commitNow,
    ),
  );
  parts.observe.committed((clock.monotonicMs() - begunMs) / 1_000);
  // What memory can't follow at once is found by the next reading, which this begins; nobody waits for it.
  if (!memory.offer(committed.lists)) memory.catchUp().catch(() => undefined);
  for (const one of group) {
    const seq = committed.acked.get(one);
    if (seq === undefined) throw new Error("internal error: a committed batch has no number");
    for (const { outcome } of one.outcomes) parts.observe.sightings(outcome, 1);
    one.resolve(answerTo(one, seq, committed.revision));
  }
}

function refuse(group: readonly Waiting[], reason: unknown): void {
  for (const one of group) one.reject(reason);
}

function sightingsOf(group: readonly PendingBatch[]): number {
  return group.reduce((sum, { batch }) => sum + batch.sightings.length, 0);
}
