/**
 * Makes messages of news that have waited for as long as their topic gathers them: one message a channel, of all topics
 * that are due. A channel that has had its messages of the hour gets the rest in the next one.
 */

import { lockNews } from "./find-queries.ts";
import { type Message, messageOf } from "./message.ts";
import type { StoredNews } from "./news.ts";
import type { NotificationPolicy } from "./notification-table.ts";
import type { NotificationsParts } from "./parts.ts";
import { countMessages, insertMessage, selectWaiting } from "./queries.ts";

const HOUR_SECONDS = 3_600;
const NEWS_A_MESSAGE = 10_000;

export async function gatherMessages(parts: NotificationsParts): Promise<void> {
  const { store, channels, ledger } = parts;
  const policy = parts.policy();
  for (const { name } of channels) {
    await store.transaction(async (sql) => {
      await lockNews(sql);
      const due = dueOf(await selectWaiting(sql, name, NEWS_A_MESSAGE), policy, ledger.ledgerTimeMs());
      if (due.length === 0 || (await countMessages(sql, name, HOUR_SECONDS)) >= policy.messagesPerHour) return;
      const message: Message = messageOf(due.map(({ news }) => news));
      await insertMessage(
        sql,
        name,
        message,
        due.map(({ newsNo }) => newsNo),
      );
    });
  }
}

/** All news of the topics whose oldest has waited long enough. */
function dueOf(waiting: readonly StoredNews[], policy: NotificationPolicy, nowMs: number): readonly StoredNews[] {
  const byTopic = Map.groupBy(waiting, ({ topic }) => topic);
  return [...byTopic].flatMap(([topic, news]) => {
    const oldestMs = Math.min(...news.map(({ foundAtMs }) => foundAtMs));
    return nowMs - oldestMs >= policy.routes[topic].everySeconds * 1_000 ? news : [];
  });
}
