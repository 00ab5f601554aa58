/**
 * Records what came of a fetch, in one transaction: the new list takes the old one's place in `feed_prefixes`, or waits in
 * a hold, or nothing changes; and when to ask next.
 *
 * Whatever brought no list leaves the old one in force until its own end (keeps invariant 6). A list that is not newer than
 * the last changes nothing at all.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Random } from "@fleetban/kit/random";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { FeedDefinition, FetchAnswer, FetchOutcome } from "./feed.ts";
import { type Lease, leaseEnd } from "./lease.ts";
import type { FeedsParts } from "./parts.ts";
import { confirmFeed, type FeedRow, insertFetch, selectFeedForUpdate, updateFeedTurn } from "./queries.ts";
import { learnRate, type Quota, sensiblePause } from "./quota.ts";
import { takeList } from "./take-list.ts";

export interface Settled {
  /** `lost`: another replica took the feed over meanwhile. */
  readonly outcome: FetchOutcome | "lost";
  readonly reason: string | undefined;
}

const JITTER_MS = 3600_000;
const JITTER_PARTS = 10; // of the interval, where that is less
const UNCHANGED_PAUSE_MS = 3600_000;
const RETRY_MIN_MS = 5 * 60_000;
const RETRY = { baseMs: 15 * 60_000, maxMs: 6 * 3600_000 };
/** A wrong key or setting does not mend itself. */
const OPERATOR_PAUSE_MS = 6 * 3600_000;

export async function settleFetch(
  parts: FeedsParts,
  feed: FeedDefinition,
  { leasedBy }: Lease,
  answer: FetchAnswer,
): Promise<Settled> {
  return await parts.store.transaction(async (sql) => {
    const row = await selectFeedForUpdate(sql, feed.name);
    if (row?.leasedBy !== leasedBy) return { outcome: "lost", reason: undefined };
    const now = unixMs(parts.ledger.ledgerTimeMs());
    const settled = await settle(sql, parts, { feed, row, answer, now });
    const learned = learnRate(row.quota, answer.rate, REFUSALS.get(answer.kind), now);
    const failures = isGood(answer) && settled.outcome !== "refused-body" ? 0 : (learned.failures ?? 0) + 1;
    const quota = { ...learned, failures };
    const nextAt = nextFetchAt(feed, answer, settled.outcome, quota, parts.random, now);
    await updateFeedTurn(sql, row.feedNo, { nextAt, quota, leasedUntil: leaseEnd(now), leasedBy });
    return settled;
  });
}

interface Asked {
  readonly feed: FeedDefinition;
  readonly row: FeedRow;
  readonly answer: FetchAnswer;
  readonly now: UnixMs;
}

async function settle(sql: Sql, parts: FeedsParts, { feed, row, answer, now }: Asked): Promise<Settled> {
  const { feedNo } = row;
  switch (answer.kind) {
    case "list":
      return await takeList(sql, parts, { feed, row, list: answer.list, validators: answer.validators, now });
    case "not-modified":
      await insertFetch(sql, { feedNo, fetchedAt: now, outcome: "unchanged" });
      await confirmFeed(sql, feedNo, now);
      return { outcome: "unchanged", reason: undefined };
    default:
      await insertFetch(sql, { feedNo, fetchedAt: now, outcome: answer.kind, reason: answer.reason });
      return { outcome: answer.kind, reason: answer.reason };
  }
}

/** Of the two kinds of 429. */
const REFUSALS: ReadonlyMap<FetchAnswer["kind"], "day" | "pace"> = new Map([
  ["quota-exhausted", "day"],
  ["rate-limited", "pace"],
]);

function isGood({ kind }: FetchAnswer): boolean {
  return kind === "list" || kind === "not-modified";
}

function nextFetchAt(
  feed: FeedDefinition,
  answer: FetchAnswer,
  outcome: Settled["outcome"],
  quota: Quota,
  random: Random,
  now: UnixMs,
): UnixMs {
  const everyMs = feed.everySeconds * 1_000;
  const jitterMs = Math.round(random.unit() * Math.min(JITTER_MS, everyMs / JITTER_PARTS));
  if (isGood(answer) && outcome !== "refused-body") return unixMs(dueAt(feed, answer, outcome, now) + jitterMs);
  switch (answer.kind) {
    case "quota-exhausted":
      return unixMs((quota.blockedUntil ?? now + OPERATOR_PAUSE_MS) + jitterMs);
    case "unauthorized":
    case "refused-request":
      return unixMs(now + OPERATOR_PAUSE_MS + jitterMs);
    default: {
      const retryAt = now + RETRY_MIN_MS + backoffMs(quota.failures ?? 0, random, RETRY);
      return unixMs(Math.max(retryAt, sensiblePause(answer.rate.retryAt, now) ?? 0));
    }
  }
}

function dueAt(feed: FeedDefinition, answer: FetchAnswer, outcome: FetchOutcome | "lost", now: UnixMs): number {
  const everyMs = feed.everySeconds * 1_000;
  const generatedAt = answer.kind === "list" ? answer.list.generatedAt : undefined;
  if (feed.kind === "list" || outcome !== "unchanged" || generatedAt === undefined) return now + everyMs;
  // Their next list is made a day after this one, not after our asking.
  return Math.max(generatedAt + everyMs, now + UNCHANGED_PAUSE_MS);
}
