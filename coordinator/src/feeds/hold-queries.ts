/** SQL of held lists: the entries lie in the hold, so that an approval needs no further call. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import type { FeedEntry } from "./feed.ts";

export interface FeedHold {
  readonly holdNo: number;
  readonly feedNo: number;
  readonly feed: string;
  readonly fetchNo: number;
  readonly reason: string;
  readonly entries: readonly FeedEntry[];
}

interface HeldBody {
  /** Prefix and confidence of each. */
  readonly entries: [string, number][];
}

export async function insertFeedHold(
  sql: Sql,
  hold: { feedNo: number; fetchNo: number; reason: string; entries: readonly FeedEntry[] },
): Promise<number> {
  const body: HeldBody = { entries: hold.entries.map(({ prefix, confidence }) => [prefix, confidence]) };
  const [row] = await sql<{ hold_no: number }[]>`
    insert into holds (subject, subject_no, reason, fetch_no, body)
    values ('feed', ${hold.feedNo}, ${hold.reason}, ${hold.fetchNo}, ${sql.json({ ...body })}) returning hold_no`;
  return row?.hold_no ?? 0;
}

/** A newer list takes the place of the one that waits. */
export async function supersedeFeedHold(sql: Sql, feedNo: number): Promise<void> {
  await sql`
    update holds set resolved_at = clock_timestamp(), resolution = 'superseded', body = null
    where subject = 'feed' and subject_no = ${feedNo} and resolved_at is null`;
}

export async function selectOpenFeedHold(sql: Sql, holdNo: number): Promise<FeedHold | undefined> {
  const [row] = await sql<{ subject_no: number; name: string; fetch_no: number; reason: string; body: HeldBody }[]>`
    select holds.subject_no, feeds.name, holds.fetch_no, holds.reason, holds.body
    from holds join feeds on feeds.feed_no = holds.subject_no
    where holds.hold_no = ${holdNo} and holds.subject = 'feed' and holds.resolved_at is null for update`;
  if (row === undefined) return undefined;
  const entries = row.body.entries.map(([text, confidence]) => ({ prefix: parsePrefix(text) as Prefix, confidence }));
  return { holdNo, feedNo: row.subject_no, feed: row.name, fetchNo: row.fetch_no, reason: row.reason, entries };
}

export async function closeHold(
  sql: Sql,
  holdNo: number,
  by: string,
  resolution: "approved" | "rejected",
): Promise<void> {
  await sql`
    update holds set resolved_at = clock_timestamp(), resolved_by = ${by}, resolution = ${resolution}, body = null
    where hold_no = ${holdNo}`;
}
