/** What the ledger's change log still tells of prefixes that may have been published once. */
import { LIST_EXEMPT, type ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { prefixFromSql } from "../../ledger/sql-values.ts";
import type { Sql } from "../../store/sql.ts";
import type { Pulled } from "../token-queries.ts";

export interface Touched {
  /** Removed from one of the lists, or let through by an operator. */
  readonly listed: readonly Prefix[];
  /** Put or removed on `exempt`. */
  readonly exempted: readonly Prefix[];
}

/** For a replica whose clock is behind, and for what was committed while the pull was answered. */
const OVERLAP_SECONDS = 60;

/** Undefined `pulled` = everything that the log has. */
export async function selectTouched(
  sql: Sql,
  lists: readonly ListNo[],
  pulled: Pulled | undefined,
  limit: number,
): Promise<Touched> {
  const revision = pulled?.revision ?? 0;
  const since = (pulled?.atMs ?? 0) / 1_000 - OVERLAP_SECONDS;
  const changed = await sql<{ prefix: string; is_exempt: boolean }[]>`
    select prefix::text, list_no = ${LIST_EXEMPT} as is_exempt from changes
    where revision > ${revision} and list_no = any(${[LIST_EXEMPT, ...lists]}::int[])
      -- what is listed still is published, but for what is exempt of it
      and (list_no = ${LIST_EXEMPT} or not exists (
        select from listings where listings.list_no = changes.list_no and listings.prefix = changes.prefix))
    group by changes.prefix, list_no limit ${limit}`;
  const acts = await sql<{ prefix: string }[]>`
    select prefix::text from bans where ended_at > to_timestamp(${since}::float8)
    union select prefix::text from pardons where begun_at > to_timestamp(${since}::float8)
    union select prefix::text from allowlist where begun_at > to_timestamp(${since}::float8)
    limit ${limit}`;
  const textOf = ({ prefix }: { prefix: string }) => prefixFromSql(prefix);
  return {
    listed: [...changed.filter((row) => !row.is_exempt), ...acts].map(textOf),
    exempted: changed.filter((row) => row.is_exempt).map(textOf),
  };
}
