/** Drops what has expired, in slices: no hurry, agents know `until` themselves (PROTOCOL, rule 7). */
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { ListChange } from "./ledger.ts";
import { prefixFromSql } from "./sql-values.ts";

export const EXPIRED_A_COMMIT = 2_000;

export async function planExpiry(sql: Sql, { list }: List, now: UnixSeconds): Promise<ListChange[]> {
  const rows = await sql<{ prefix: string }[]>`
    select prefix::text from listings where list_no = ${list} and until <= to_timestamp(${now})
    order by until limit ${EXPIRED_A_COMMIT}`;
  return rows.map(({ prefix }) => ({ list, prefix: prefixFromSql(prefix), to: undefined }));
}

/** Before a commit is made for nothing. */
export async function listsWithExpired(sql: Sql): Promise<ListNo[]> {
  const rows = await sql<{ list_no: number }[]>`
    select list_no from lists l
    where exists (select from listings x where x.list_no = l.list_no and x.until <= clock_timestamp())`;
  return rows.map((row) => row.list_no as ListNo);
}
