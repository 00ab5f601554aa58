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
import type { FeedDefinition, FeedList, FetchAnswer, FetchOutcome } from "./feed.ts";
import { insertFeedHold, supersedeFeedHold } from "./hold-queries.ts";
import { type Lease, leaseEnd } from "./lease.ts";
import type { FeedsParts } from "./parts.ts";
import { planRefresh } from "./plan-refresh.ts";
import {
  insertFetch,
  lastGeneratedAt,
  replaceFeedPrefixes,
  selectFeedForUpdate,
  selectFeedPrefixes,
  updateFeedTurn,
} from "./queries.ts";
import { learnRate, type Quota } from "./quota.ts";

export interface Settled {
  /** `lost`: another replica took the feed over meanwhile. */
  readonly outcome: FetchOutcome | "lost";
  readonly reason: string | undefined;
}

const JITTER_MS = 3600_000;
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
    const settled = answer.kind === "list" ? await takeList(sql, row.feedNo, answer.list, now) : failed(answer);
    if (answer.kind !== "list") {
      await insertFetch(sql, { feedNo: row.feedNo, fetchedAt: now, outcome: answer.kind, reason: answer.reason });
    }
    const learned = learnRate(row.quota, answer.rate, answer.kind === "quota-exhausted", now);
    const quota = { ...learned, failures: answer.kind === "list" ? 0 : (learned.failures ?? 0) + 1 };
    const nextAt = nextFetchAt(feed, answer, settled.outcome, quota, parts.random, now);
    await updateFeedTurn(sql, row.feedNo, { nextAt, quota, leasedUntil: leaseEnd(now), leasedBy });
    return settled;
  });
}

function failed({ kind, reason }: Exclude<FetchAnswer, { kind: "list" }>): Settled {
  return { outcome: kind, reason };
}

async function takeList(sql: Sql, feedNo: number, list: FeedList, now: UnixMs): Promise<Settled> {
  const { generatedAt, sha256 } = list;
  const refused = Object.values(list.refused).reduce((sum, count) => sum + count, 0);
  const fetch = { feedNo, fetchedAt: now, generatedAt, sha256, entries: list.entries.length, refused };
  const last = await lastGeneratedAt(sql, feedNo);
  if (last !== undefined && generatedAt <= last) {
    await insertFetch(sql, { ...fetch, outcome: "unchanged" });
    return { outcome: "unchanged", reason: undefined };
  }
  const plan = planRefresh(await selectFeedPrefixes(sql, feedNo), list.entries);
  await supersedeFeedHold(sql, feedNo);
  if (plan.kind === "hold") {
    const fetchNo = await insertFetch(sql, { ...fetch, outcome: "held", reason: plan.reason });
    await insertFeedHold(sql, { feedNo, fetchNo, reason: plan.reason, entries: plan.entries });
    return { outcome: "held", reason: plan.reason };
  }
  const taken = { ...fetch, entries: plan.entries.length, refused: refused + plan.tooWide };
  const fetchNo = await insertFetch(sql, { ...taken, outcome: "fetched" });
  await replaceFeedPrefixes(sql, feedNo, fetchNo, plan.entries);
  return { outcome: "fetched", reason: undefined };
}

/** Retries come earlier than the next list, and as often as the quota lets them. */
function nextFetchAt(
  feed: FeedDefinition,
  answer: FetchAnswer,
  outcome: Settled["outcome"],
  quota: Quota,
  random: Random,
  now: UnixMs,
): UnixMs {
  const jitterMs = Math.round(random.unit() * JITTER_MS);
  const everyMs = feed.everySeconds * 1_000;
  switch (answer.kind) {
    case "list": {
      // Their next list is made a day after this one, not after our asking.
      const made = outcome === "unchanged" ? answer.list.generatedAt : now;
      return unixMs(Math.max(made + everyMs, now + UNCHANGED_PAUSE_MS) + jitterMs);
    }
    case "quota-exhausted":
      return unixMs((quota.blockedUntil ?? now + OPERATOR_PAUSE_MS) + jitterMs);
    case "unauthorized":
    case "refused-request":
      return unixMs(now + OPERATOR_PAUSE_MS + jitterMs);
    default:
      return unixMs(now + RETRY_MIN_MS + backoffMs(quota.failures ?? 0, random, RETRY));
  }
}
