/**
 * SQL of held changes of whole lists. The plan itself is not kept: whoever made it makes it anew, and asks here again
 * whether it may. So a hold says up to what an operator's word holds: no fewer listings left, no more covered.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import type { ListSize } from "./judge-change.ts";

export type ChangeCause = "feeds" | "prune";

export interface HeldChange {
  readonly cause: ChangeCause;
  readonly before: ListSize;
  readonly after: ListSize;
  /** A few of them, for an operator to look at. */
  readonly removed: readonly Prefix[];
  readonly added: readonly Prefix[];
}

export interface ListHold {
  readonly holdNo: number;
  /** Absent = open. */
  readonly resolution: "approved" | "rejected" | undefined;
  readonly change: HeldChange;
}

/** The newest that is open, or answered and still valid. */
export async function currentListHold(sql: Sql, list: ListNo, cause: ChangeCause): Promise<ListHold | undefined> {
  const [row] = await sql<{ hold_no: number; resolution: ListHold["resolution"] | null; body: HeldChange }[]>`
    select hold_no, resolution, body from holds
    where subject = 'list' and subject_no = ${list} and body ->> 'cause' = ${cause}
      and (resolved_at is null or ends_at > clock_timestamp())
    order by hold_no desc limit 1 for update`;
  if (row === undefined) return undefined;
  return { holdNo: row.hold_no, resolution: row.resolution ?? undefined, change: row.body };
}

/** Absent = another change of the list is held already; this one is asked about when that is answered. */
export async function openListHold(
  sql: Sql,
  list: ListNo,
  reason: string,
  change: HeldChange,
): Promise<number | undefined> {
  const [row] = await sql<{ hold_no: number }[]>`
    insert into holds (subject, subject_no, reason, body)
    values ('list', ${list}, ${reason}, ${sql.json(jsonOf(change))}) on conflict do nothing returning hold_no`;
  return row?.hold_no;
}

/** The change has become a worse one while nobody answered: that gets a number of its own, and is not approved by this one. */
export async function supersedeListHold(sql: Sql, holdNo: number): Promise<void> {
  await sql`
    update holds set resolved_at = clock_timestamp(), resolved_by = 'guardrails', resolution = 'superseded'
    where hold_no = ${holdNo}`;
}

/** Nothing is held any more: an open one is over, an answered one has been used. */
export async function endListHolds(sql: Sql, list: ListNo, cause: ChangeCause): Promise<void> {
  await sql`
    update holds set ends_at = clock_timestamp(),
      resolution = coalesce(resolution, 'ended'), resolved_at = coalesce(resolved_at, clock_timestamp()),
      resolved_by = coalesce(resolved_by, 'guardrails')
    where subject = 'list' and subject_no = ${list} and body ->> 'cause' = ${cause}
      and (resolved_at is null or ends_at > clock_timestamp())`;
}

/** Of an approval a day, of a rejection a week: then the change is asked about again. */
export async function answerListHold(
  sql: Sql,
  holdNo: number,
  by: string,
  resolution: "approved" | "rejected",
): Promise<void> {
  await sql`
    update holds set resolved_at = clock_timestamp(), resolved_by = ${by}, resolution = ${resolution},
      ends_at = clock_timestamp() + ${VALID[resolution]}::interval
    where hold_no = ${holdNo} and resolved_at is null`;
}

const VALID = { approved: "1 day", rejected: "7 days" } as const;

function jsonOf({ cause, before, after, removed, added }: HeldChange) {
  const sizeOf = ({ listings, cover }: ListSize) => ({ listings, cover: { 4: cover[4], 6: cover[6] } });
  return { cause, before: sizeOf(before), after: sizeOf(after), removed: [...removed], added: [...added] };
}
