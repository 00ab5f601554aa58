/**
 * The one way by which everything but sightings changes lists: a commit that holds the ledger's row while it plans.
 *
 * Postgres away before the commit: the plan runs again. Away in the middle of it: whoever holds the ledger's row next sees
 * whether that commit has left its mark, so that an operator's act is neither lost nor doubled.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import type { Random } from "@fleetban/kit/random";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Cover } from "../guardrails/cover.ts";
import type { PolicySource } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import type { Lane } from "../store/store.ts";
import { isPassing } from "../store/store-error.ts";
import { type Applied, applyChanges } from "./apply-changes.ts";
import { lockLedger } from "./evidence-queries.ts";
import type { Cause, Plan, WriteOptions } from "./ledger.ts";
import { LedgerError } from "./ledger-error.ts";
import type { Memory } from "./memory.ts";
import { STALE_EPOCH } from "./stale-epoch.ts";
import { STALE_POLICY } from "./stale-policy.ts";

export interface WriteParts {
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
const MARK_BYTES = 16;
/** How long a write waits for Postgres; whoever asked is told then. */
const PATIENCE_MS = 60_000;
const PAUSE = { baseMs: 20, maxMs: 1_000 };

export async function writeChanges(parts: WriteParts, request: WriteRequest, signal: AbortSignal): Promise<Applied> {
  const { clock, memory } = parts;
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS;
  const isLate = () => clock.monotonicMs() > deadlineMs;
  const mark = parts.random.bytes(MARK_BYTES);
  let sent: Sent | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const tried: Tried = { mark };
    try {
      return follow(memory, await tryOnce(parts, request, tried, sent, isLate));
    } catch (error) {
      if (error === sent?.error) throw error;
      const isStale = error === STALE_EPOCH || error === STALE_POLICY;
      if (isPassing(error) && tried.applied !== undefined) sent = { applied: tried.applied, error };
      else if (tried.isUnmarked) sent = undefined;
      // What became of a commit that was sent has to be known, however long Postgres is away.
      if (!(isPassing(error) || isStale) || (isLate() && sent === undefined)) throw error;
      if (error === STALE_EPOCH) await memory.catchUp().catch(() => undefined);
      if (error === STALE_POLICY) await parts.readPolicy().catch(() => undefined);
    }
    await clock.sleep(backoffMs(attempt, parts.random, PAUSE), signal);
  }
}

/** A commit of which nobody knows yet what became of it. */
interface Sent {
  readonly applied: Applied;
  readonly error: unknown;
}

interface Tried {
  readonly mark: Uint8Array;
  /** The ledger's row is held, and no attempt before has committed. */
  isUnmarked?: boolean;
  applied?: Applied;
}

/** Throws what `sent` ended with when it came to nothing and it is too late for another attempt. */
function tryOnce(
  { lane, memory, policy, ceiling }: WriteParts,
  request: WriteRequest,
  tried: Tried,
  sent: Sent | undefined,
  isLate: () => boolean,
): Promise<Applied> {
  return lane.transaction(async (sql) => {
    const ledger = await lockLedger(sql, 0); // which a commit that is still under way holds
    if (sent !== undefined) {
      if (await isMarked(sql, tried.mark)) return sent.applied;
      if (isLate()) throw sent.error;
    }
    tried.isUnmarked = true;
    if (ledger.epoch !== memory.epoch) throw STALE_EPOCH;
    if (ledger.policyNo !== policy().policyNo) throw STALE_POLICY;
    const changes = await request.plan(sql, ledger.now);
    if (changes.length > CHANGES_MAX) {
      throw new LedgerError("too-many-changes", `${changes.length} changes: a commit takes at most ${CHANGES_MAX}`, {
        hint: "write them in slices",
      });
    }
    await sql`insert into writes (mark) values (${tried.mark})`;
    const apply = { key: memory.key, lists: memory.lists, ceiling: ceiling() };
    tried.applied = await applyChanges(sql, apply, { ...request, changes });
    return tried.applied;
  });
}

async function isMarked(sql: Sql, mark: Uint8Array): Promise<boolean> {
  return (await sql`select from writes where mark = ${mark}`).length > 0;
}

/** Also what the memory can't follow at once is in it when the caller goes on. */
async function follow(memory: Memory, applied: Applied): Promise<Applied> {
  if (!memory.offer(applied.lists)) await memory.catchUp().catch(() => undefined); // the poll will
  return applied;
}
