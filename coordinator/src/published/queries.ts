/** SQL of published lists: tokens, what bouncers have pulled, what feeds' terms allow. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";

export interface FeedTerms {
  readonly feedNo: number;
  readonly name: string;
  /** Where its listings are, and where some may be left that it has gone from. */
  readonly lists: readonly ListNo[];
  /** As in feeds/licence.ts. */
  readonly licence: number;
}

export async function selectFeedTerms(sql: Sql): Promise<FeedTerms[]> {
  const rows = await sql<{ feed_no: number; name: string; lists: ListNo[]; licence: number }[]>`
    select feed_no, name, array_remove(array[list_no, left_list_no], null) as lists, licence from feeds order by feed_no`;
  return rows.map(({ feed_no, ...feed }) => ({ feedNo: feed_no, ...feed }));
}

export interface PageOfPrefixes {
  readonly list: ListNo;
  readonly after: Prefix | undefined;
  readonly limit: number;
}

/** Listings with at least one reason that is none of these feeds, in the order of the wire. */
export async function selectFreeListings(
  sql: Sql,
  feedNos: readonly number[],
  { list, after, limit }: PageOfPrefixes,
): Promise<Prefix[]> {
  const further = after === undefined ? sql`true` : sql`prefix > ${after}::cidr`;
  const rows = await sql<{ prefix: string }[]>`
    select prefix::text from listings
    where list_no = ${list} and ${further} and exists (
      select from jsonb_array_elements(reasons) as reason
      where reason ->> 'kind' <> 'feed' or not reason ->> 'key' = any(${feedNos.map(String)}::text[]))
    order by listings.prefix limit ${limit}`;
  return rows.map(({ prefix }) => prefixFromSql(prefix));
}
