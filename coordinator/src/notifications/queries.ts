/** SQL of news and of the messages that tell them. */
import type { Sql } from "../store/sql.ts";
import type { Message } from "./message.ts";
import type { KeyedNews, News, StoredNews } from "./news.ts";
import type { NewsTopic } from "./notification-table.ts";

/** Those that were not known before, for these channels; how many. */
export async function insertNews(
  sql: Sql,
  topic: NewsTopic,
  found: readonly KeyedNews[],
  channels: readonly string[],
): Promise<number> {
  if (found.length === 0) return 0;
  const rows = await sql`
    with told as (
      insert into news (topic, key, facts)
      select ${topic}, key, facts::jsonb
      from unnest(${found.map(({ key }) => key)}::text[], ${found.map(({ news }) => JSON.stringify(news))}::text[])
        as t(key, facts)
      on conflict (topic, key) do nothing returning news_no
    ), deliveries as (
      insert into news_deliveries (news_no, channel)
      select news_no, channel from told cross join unnest(${[...channels]}::text[]) as channel
    )
    select news_no from told`;
  return rows.length;
}

/** News that no message to the channel tells yet, oldest first; a hold that is over by now is none. */
export async function selectWaiting(sql: Sql, channel: string, limit: number): Promise<StoredNews[]> {
  const rows = await sql<{ news_no: number; topic: NewsTopic; found_at: Date; facts: News }[]>`
    select n.news_no, n.topic, n.found_at, n.facts
    from news_deliveries d join news n using (news_no)
    where d.channel = ${channel} and d.notification_no is null
      and not (n.topic = 'holds' and exists (
        select from holds h where h.hold_no::text = n.key and h.resolved_at is not null))
    order by n.news_no limit ${limit}`;
  return rows.map((row) => ({
    newsNo: row.news_no,
    topic: row.topic,
    foundAtMs: row.found_at.getTime(),
    news: row.facts,
  }));
}

/** Of channels that are no more. */
export async function forgetOtherChannels(sql: Sql, channels: readonly string[]): Promise<void> {
  await sql`delete from news_deliveries where notification_no is null and channel <> all(${[...channels]}::text[])`;
}

export async function countMessages(sql: Sql, channel: string, seconds: number): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from notifications
    where channel = ${channel} and planned_at > clock_timestamp() - make_interval(secs => ${seconds})`;
  return row?.count ?? 0;
}

export async function insertMessage(
  sql: Sql,
  channel: string,
  message: Message,
  newsNos: readonly number[],
): Promise<void> {
  await sql`
    with message as (
      insert into notifications (channel, state, news, body)
      values (${channel}, 'planned', ${newsNos.length}, ${sql.json(message as never)}) returning notification_no
    )
    update news_deliveries set notification_no = message.notification_no from message
    where channel = ${channel} and news_no = any(${[...newsNos]}::bigint[])`;
}

export interface ClaimedMessage {
  readonly notificationNo: number;
  readonly channel: string;
  readonly messageId: string;
  readonly plannedAtMs: number;
  /** This one included. */
  readonly attempts: number;
  readonly message: Message;
}

/** Those that are due, and those whose sender has died. Each is leased before anybody is asked. */
export async function claimMessages(
  sql: Sql,
  channels: readonly string[],
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<ClaimedMessage[]> {
  const rows = await sql<
    {
      notification_no: number;
      channel: string;
      message_id: string;
      planned_at: Date;
      attempts: number;
      body: Message;
    }[]
  >`
    update notifications n set state = 'sending', attempts = n.attempts + 1,
      leased_until = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    from (
      select notification_no from notifications
      where channel = any(${[...channels]}::text[])
        and ((state = 'planned' and next_at <= clock_timestamp()) or (state = 'sending' and leased_until < clock_timestamp()))
      order by notification_no limit ${limit} for update skip locked) due
    where n.notification_no = due.notification_no
    returning n.notification_no, channel, message_id, planned_at, attempts, body`;
  return rows
    .map((row) => ({
      notificationNo: row.notification_no,
      channel: row.channel,
      messageId: row.message_id,
      plannedAtMs: row.planned_at.getTime(),
      attempts: row.attempts,
      message: row.body,
    }))
    .sort((a, b) => a.notificationNo - b.notificationNo);
}

export async function settleMessage(
  sql: Sql,
  notificationNo: number,
  settled: { readonly state: "sent" | "refused"; readonly problem: string | undefined },
): Promise<void> {
  await sql`
    update notifications set state = ${settled.state}, sent_at = clock_timestamp(), leased_until = null,
      problem = ${settled.problem ?? null}
    where notification_no = ${notificationNo}`;
}

export async function planMessageAgain(
  sql: Sql,
  notificationNo: number,
  { inMs, problem }: { inMs: number; problem: string },
): Promise<void> {
  await sql`
    update notifications set state = 'planned', leased_until = null, problem = ${problem},
      next_at = clock_timestamp() + make_interval(secs => ${inMs / 1_000})
    where notification_no = ${notificationNo}`;
}

export interface StoredMessage {
  readonly notificationNo: number;
  readonly channel: string;
  readonly state: string;
  readonly plannedAtMs: number;
  /** 0 = not yet. */
  readonly sentAtMs: number;
  readonly news: number;
  readonly attempts: number;
  readonly subject: string;
  readonly problem: string;
}

export async function selectMessages(sql: Sql, limit: number): Promise<StoredMessage[]> {
  const rows = await sql<
    {
      notification_no: number;
      channel: string;
      state: string;
      planned_at: Date;
      sent_at: Date | null;
      news: number;
      attempts: number;
      subject: string;
      problem: string | null;
    }[]
  >`
    select notification_no, channel, state, planned_at, sent_at, news, attempts, body->>'subject' as subject, problem
    from notifications order by notification_no desc limit ${limit}`;
  return rows.map((row) => ({
    notificationNo: row.notification_no,
    channel: row.channel,
    state: row.state,
    plannedAtMs: row.planned_at.getTime(),
    sentAtMs: row.sent_at?.getTime() ?? 0,
    news: row.news,
    attempts: row.attempts,
    subject: row.subject,
    problem: row.problem ?? "",
  }));
}

export async function countWaiting(sql: Sql): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ channel: string; count: number }[]>`
    select channel, count(*)::int as count from news_deliveries join news n using (news_no)
    where notification_no is null and not (n.topic = 'holds' and exists (
      select from holds h where h.hold_no::text = n.key and h.resolved_at is not null))
    group by channel`;
  return new Map(rows.map(({ channel, count }) => [channel, count]));
}

/** Channels whose newest message was refused, or has been tried in vain for a while. */
export async function selectFailingChannels(sql: Sql, attempts: number): Promise<string[]> {
  const rows = await sql<{ channel: string }[]>`
    select channel from (
      select distinct on (channel) channel, state, attempts, planned_at from notifications
      where state in ('sent', 'refused') or attempts >= ${attempts} order by channel, notification_no desc) newest
    where state <> 'sent' and planned_at > clock_timestamp() - interval '7 days' order by channel`;
  return rows.map(({ channel }) => channel);
}

/** What was told of an agent last is kept: by it it is known whether that is news. */
export async function forgetOldNews(sql: Sql, days: number): Promise<void> {
  await sql`
    delete from news n where found_at < clock_timestamp() - make_interval(days => ${days})
      and (topic <> 'agents' or exists (
        select from news o where o.topic = 'agents' and o.news_no > n.news_no
          and split_part(o.key, ' ', 1) = split_part(n.key, ' ', 1)))`;
  await sql`
    delete from notifications where state in ('sent', 'refused')
      and planned_at < clock_timestamp() - make_interval(days => ${days})`;
}
