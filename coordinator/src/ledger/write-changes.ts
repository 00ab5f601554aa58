/**
 * The one way by which everything but sightings changes lists: a commit that holds the ledger's row while it plans.
 *
 * Postgres away before the commit: the plan runs again. Away in the middle of it: Postgres is asked what became of that
 * very transaction, so that an operator's act is neither lost nor doubled.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import type { Random } from "@fleetban/kit/random";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Cover } from "../guardrails/cover.ts";
import type { PolicySource } from "../policy/policy.ts";
import type { Lane, Store } from "../store/store.ts";
import { isPassing } from "../store/store-error.ts";
import { type Applied, applyChanges } from "./apply-changes.ts";
import { lockLedger } from "./evidence-queries.ts";
import type { Cause, Plan, WriteOptions } from "./ledger.ts";
import { LedgerError } from "./ledger-error.ts";
import type { Memory } from "./memory.ts";
import { STALE_EPOCH } from "./stale-epoch.ts";
import { STALE_POLICY } from "./stale-policy.ts";

export interface WriteParts {
  readonly store: Store;
  readonly lane: Lane;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: PolicySource;
  readonly ceiling: () => Cover;
  /** Asks the database for the policy in force. */
  readonly readPolicy: () => Promise<void>;
}

export interface WriteRequest {
  readonly cause: Cause;
  readonly plan: Plan;
  readonly options?: WriteOptions;
  /** Filled by the plan: addresses that became the fleet's own, or ceased to be. */
  readonly touched?: readonly Prefix[];
}

const CHANGES_MAX = 2_000;
/** How long a write waits for Postgres; whoever asked is told then. */
const PATIENCE_MS = 60_000;
const PAUSE = { baseMs: 20, maxMs: 1_000 };

export async function writeChanges(parts: WriteParts, request: WriteRequest, signal: AbortSignal): Promise<Applied> {
  const { clock, memory } = parts;
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1) {
    const tried: Tried = {};
    try {
      return follow(memory, await tryOnce(parts, request, tried));
    } catch (error) {
      const isStale = error === STALE_EPOCH || error === STALE_POLICY;
      const isFinal = !(isPassing(error) || isStale) || clock.monotonicMs() > deadlineMs;
      if (isFinal && tried.xid === undefined) throw error;
      const isUnknown = error instanceof Error && "code" in error && error.code === "commit-unknown";
      if (isUnknown && (await hasCommitted(parts, tried, signal))) return follow(memory, tried.applied as Applied);
      if (isFinal) throw error;
      if (error === STALE_EPOCH) await memory.catchUp().catch(() => undefined);
      if (error === STALE_POLICY) await parts.readPolicy().catch(() => undefined);
    }
    await clock.sleep(backoffMs(attempt, parts.random, PAUSE), signal);
  }
}

interface Tried {
  xid?: string;
  applied?: Applied;
}

function tryOnce({ lane, memory, policy, ceiling }: WriteParts, request: WriteRequest, tried: Tried): Promise<Applied> {
  return lane.transaction(async (sql) => {
    const ledger = await lockLedger(sql, 0);
    if (ledger.epoch !== memory.epoch) throw STALE_EPOCH;
    if (ledger.policyNo !== policy().policyNo) throw STALE_POLICY;
    tried.xid = ledger.xid;
    const changes = await request.plan(sql, ledger.now);
    if (changes.length > CHANGES_MAX) {
      throw new LedgerError("too-many-changes", `${changes.length} changes: a commit takes at most ${CHANGES_MAX}`, {
        hint: "write them in slices",
      });
    }
    const apply = { key: memory.key, lists: memory.lists, ceiling: ceiling() };
    tried.applied = await applyChanges(sql, apply, { ...request, changes });
    return tried.applied;
  });
}

/** Also what the memory can't follow at once is in it when the caller goes on. */
async function follow(memory: Memory, applied: Applied): Promise<Applied> {
  if (!memory.offer(applied.lists)) await memory.catchUp().catch(() => undefined); // the poll will
  return applied;
}

async function hasCommitted(
  { store, clock, random }: WriteParts,
  { xid }: Tried,
  signal: AbortSignal,
): Promise<boolean> {
  if (xid === undefined) return false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const [row] = await store.sql<{ status: string | null }[]>`select pg_xact_status(${xid}::xid8) as status`;
      if (row?.status !== "in progress") return row?.status === "committed";
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await clock.sleep(backoffMs(attempt, random, PAUSE), signal);
  }
}
