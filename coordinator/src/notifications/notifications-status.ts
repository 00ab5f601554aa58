/** What other rooms show of notifications. */
import type { Sql } from "../store/sql.ts";
import { countWaiting, type StoredMessage, selectFailingChannels, selectMessages } from "./queries.ts";

/** Three attempts are some minutes. */
const ATTEMPTS = 3;

export async function notificationsList(sql: Sql, limit: number): Promise<readonly StoredMessage[]> {
  return await selectMessages(sql, limit);
}

/** News that wait for their message, by channel. */
export async function waitingNews(sql: Sql): Promise<ReadonlyMap<string, number>> {
  return await countWaiting(sql);
}

/** Channels that take nothing. */
export async function failingChannels(sql: Sql): Promise<readonly string[]> {
  return await selectFailingChannels(sql, ATTEMPTS);
}
