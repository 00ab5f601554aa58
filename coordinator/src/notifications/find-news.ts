/**
 * Finds what is news and keeps it for the channels that want it, each once.
 *
 * News are strikes, open holds, and agents that come and go: rows that a restart, a resync or a feed's refresh does not make
 * again. How far the strikes have been looked at is kept in the same transaction; what had struck before the first look is
 * no news.
 */
import type { Sql } from "../store/sql.ts";
import {
  lastStrikeLookedAt,
  lockNews,
  newestStrike,
  type SeenAgent,
  type StruckPrefix,
  saveStrikeLookedAt,
  selectSeenAgents,
  selectStruck,
  selectUntoldHolds,
} from "./find-queries.ts";
import type { KeyedNews } from "./news.ts";
import { NEWS_TOPICS, type NewsTopic, type NotificationPolicy } from "./notification-table.ts";
import type { NotificationsParts } from "./parts.ts";
import { forgetOtherChannels, insertNews } from "./queries.ts";

const STRIKES_A_TURN = 5_000;
/** A coordinator that was away for longer has other worries than yesterday's attackers. */
const MAX_AGE_SECONDS = 86_400;

export async function findNews(parts: NotificationsParts): Promise<number> {
  const { store, channels, log } = parts;
  const policy = parts.policy();
  const found = await store.transaction(async (sql) => {
    await lockNews(sql);
    if (channels.length === 0) {
      await saveStrikeLookedAt(sql, await newestStrike(sql)); // who configures a channel later wants none of it
      return 0;
    }
    await forgetOtherChannels(
      sql,
      channels.map(({ name }) => name),
    );
    const byTopic = await gather(sql, parts, policy);
    let count = 0;
    for (const topic of NEWS_TOPICS) {
      count += await insertNews(sql, topic, byTopic[topic], channelsFor(parts, policy, topic));
    }
    return count;
  });
  if (found > 0) log.info("notifications.news_found", { news: found });
  return found;
}

export function channelsFor({ channels }: NotificationsParts, policy: NotificationPolicy, topic: NewsTopic): string[] {
  const { to } = policy.routes[topic];
  return channels.map(({ name }) => name).filter((name) => to.includes("*") || to.includes(name));
}

async function gather(
  sql: Sql,
  parts: NotificationsParts,
  policy: NotificationPolicy,
): Promise<Record<NewsTopic, readonly KeyedNews[]>> {
  const struck = (await newStrikes(sql)).filter(({ isNews }) => isNews);
  const repeatStrikes = parts.repeatStrikes();
  const holds = await selectUntoldHolds(sql);
  const agents = await selectSeenAgents(sql);
  return {
    first_listings: struck.filter(({ isFirst }) => isFirst).map((one) => listingNews("first_listings", one)),
    repeat_offenders: struck
      .filter(({ strikes }) => strikes >= repeatStrikes)
      .map((one) => listingNews("repeat_offenders", one)),
    holds: holds.map((hold) => ({ key: String(hold.holdNo), news: { topic: "holds", ...hold } })),
    agents: agents.flatMap((agent) => agentNews(agent, parts, policy)),
  };
}

async function newStrikes(sql: Sql): Promise<readonly StruckPrefix[]> {
  const after = await lastStrikeLookedAt(sql);
  if (after === undefined) {
    await saveStrikeLookedAt(sql, await newestStrike(sql));
    return [];
  }
  const struck = await selectStruck(sql, { after, limit: STRIKES_A_TURN, maxAgeSeconds: MAX_AGE_SECONDS });
  await saveStrikeLookedAt(sql, struck.at(-1)?.strikeNo ?? after);
  return struck;
}

function listingNews(topic: "first_listings" | "repeat_offenders", struck: StruckPrefix): KeyedNews {
  const { prefix, list, untilMs, jails, agents, failures, strikes } = struck;
  return { key: prefix, news: { topic, prefix, list, untilMs, jails, agents, failures, strikes } };
}

/** After a start of this coordinator its agents need a while to come back: that is not their absence. */
function agentNews(
  { agentNo, name, seenMs, told }: SeenAgent,
  { ledger, clock, startedMs, isOnline }: NotificationsParts,
  { goneAfterSeconds }: NotificationPolicy,
): readonly KeyedNews[] {
  const goneAfterMs = goneAfterSeconds * 1_000;
  const isThere = isOnline(agentNo) || ledger.ledgerTimeMs() - seenMs < goneAfterMs;
  const state = isThere ? "back" : "gone";
  if (state === "gone" && clock.monotonicMs() - startedMs < goneAfterMs) return [];
  if (told === state || (told === undefined && state === "back")) return [];
  const key = `${agentNo} ${state} ${Math.round(ledger.ledgerTimeMs())}`;
  return [{ key, news: { topic: "agents", agent: name, state, seenMs } }];
}
