/**
 * Writes what the agents' kernels dropped, summed by day: one transaction a batch, all of it or nothing.
 *
 * What was certainly not written is kept for the next time. Where nobody can say (the connection was lost in the commit)
 * it is dropped: better some packets too few than any twice.
 */

import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { creditFeeds } from "./credit-feeds.ts";
import type { FeedShares } from "./feed-shares.ts";
import type { HeardHits, HitTotals } from "./hit-totals.ts";
import {
  type DayTotal,
  insertHits,
  insertTotals,
  type ListedHits,
  listedAmong,
  listsOfFeeds,
  saveCounting,
} from "./queries.ts";

export interface HitWriterParts {
  readonly store: Pick<Store, "transaction">;
  readonly shares: FeedShares;
}

export async function writeHits({ store, shares }: HitWriterParts, hits: HitTotals): Promise<void> {
  const heard = hits.take();
  if (heard.totals.length + heard.prefixes.length === 0) return;
  try {
    await store.transaction(async (sql) => {
      // Prefixes that are on no list are left out: nobody's kernel has hit them, whatever an agent says.
      const listed = await listedAmong(sql, heard.prefixes);
      await insertHits(sql, listed);
      await insertTotals(sql, await credited(sql, heard, listed, shares));
      await saveCounting(sql, [], heard.unheard); // they begin anew with their next word
    });
  } catch (error) {
    const isUnknown = error instanceof Error && "code" in error && error.code === "commit-unknown";
    if (!isUnknown) hits.giveBack(heard);
    throw error;
  }
}

/** What agents say of themselves: whether their kernels count. Silence of one that does not says nothing. */
export async function writeCounting(
  sql: Sql,
  agents: readonly { readonly agentNo: number; readonly health: { readonly countsHits: boolean } | undefined }[],
): Promise<void> {
  const heard = agents.filter(({ health }) => health !== undefined);
  const counting = heard.filter(({ health }) => health?.countsHits === true).map(({ agentNo }) => agentNo);
  const others = heard.filter(({ health }) => health?.countsHits === false).map(({ agentNo }) => agentNo);
  await saveCounting(sql, counting, others);
}

async function credited(
  sql: Sql,
  { totals }: HeardHits,
  listed: readonly ListedHits[],
  shares: FeedShares,
): Promise<DayTotal[]> {
  const ofFeeds = await listsOfFeeds(sql);
  const rows: DayTotal[] = [];
  for (const { list, rank, ...counts } of totals) {
    if (!ofFeeds.has(list)) {
      rows.push({ list, rank, feedNo: 0, ...counts });
      continue;
    }
    const named = listed.filter((hit) => hit.list === list && hit.rank === rank);
    const sharesOf = await shares(sql, list);
    for (const [feedNo, part] of creditFeeds(counts, named, sharesOf(rank))) rows.push({ list, rank, feedNo, ...part });
  }
  return rows;
}
