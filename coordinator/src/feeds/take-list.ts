/**
 * What becomes of a list that came: it takes the old one's place, waits in a hold, or is no news. Inside the transaction that
 * records the fetch.
 */
import type { UnixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import { definitionDigest } from "./define-feeds.ts";
import { entryMoves } from "./entry-moves.ts";
import type { FeedDefinition, FeedEntry, FeedList, FetchOutcome, Validators } from "./feed.ts";
import { badLines, refusedLine } from "./gather-entries.ts";
import { insertFeedHold, supersedeFeedHold } from "./hold-queries.ts";
import type { FeedsParts } from "./parts.ts";
import {
  confirmFeed,
  type EarlierFetch,
  type FeedRow,
  type FetchRow,
  insertFetch,
  replaceFeedEntries,
  selectEarlierFetch,
  selectFeedEntries,
} from "./queries.ts";

export interface Taken {
  readonly outcome: FetchOutcome;
  /** Why it is held or refused, or what an operator should know of a good one. */
  readonly reason: string | undefined;
}

export interface ListThatCame {
  readonly feed: FeedDefinition;
  readonly row: FeedRow;
  readonly list: FeedList;
  readonly validators: Validators;
  readonly now: UnixMs;
}

/** Below it nobody asks whether lines are bad. */
const BAD_ALLOWED = 5;
const BAD_RATIO = 0.01;
/** As many bad lines again as the list before had are still the same list. */
const BAD_GROWTH = 2;
/** A list that may be empty and was longer is held all the same. */
const EMPTIED_FROM = 20;

export async function takeList(sql: Sql, parts: FeedsParts, came: ListThatCame): Promise<Taken> {
  const { feed, row, now, validators } = came;
  const { feedNo } = row;
  const definition = definitionDigest(feed);
  const known = await selectEarlierFetch(sql, feedNo, ["fetched", "held", "approved"]);
  const taken = await selectEarlierFetch(sql, feedNo, ["fetched", "approved"]);
  const { list, entries } = withoutOwn(came.list, parts.ledger.protectedAddresses());
  const { generatedAt, sha256, refused, refusedLines, lines, note } = list;
  const details = { lines, refused, refusedLines };
  const refusedCount = Object.values(refused).reduce((sum, count) => sum + count, 0) + list.tooWide.length;
  const read = { generatedAt, sha256, validators, definition, entries: entries.length, refused: refusedCount, details };
  const fetch = { feedNo, fetchedAt: now, ...read };
  if (known?.definition === definition && isNoNews(feed, list, known)) {
    if (known.outcome !== "held" && feed.kind === "list") await confirmFeed(sql, feedNo, now);
    return await record(sql, { ...fetch, outcome: "unchanged", reason: sameAsHeld(known) ?? note });
  }
  const badness = judgeBadLines(list, taken);
  if (badness?.kind === "refused")
    return await record(sql, { ...fetch, outcome: "refused-body", reason: badness.reason });
  const previous = await selectFeedEntries(sql, feedNo);
  const reasons = await judged(sql, parts, { feed, entries, list, previous: new Set(previous.keys()) });
  if (badness !== undefined) reasons.push(badness.reason);
  await supersedeFeedHold(sql, feedNo);
  if (reasons.length > 0) {
    const reason = reasons.join("; ");
    const fetchNo = await insertFetch(sql, { ...fetch, outcome: "held", reason });
    await insertFeedHold(sql, { feedNo, fetchNo, reason, entries });
    return { outcome: "held", reason };
  }
  const fetchNo = await insertFetch(sql, { ...fetch, outcome: "fetched", reason: note });
  await replaceFeedEntries(sql, feedNo, fetchNo, entryMoves(previous, entries));
  await confirmFeed(sql, feedNo, now);
  return { outcome: "fetched", reason: note };
}

async function record(sql: Sql, fetch: FetchRow): Promise<Taken> {
  await insertFetch(sql, fetch);
  return { outcome: fetch.outcome, reason: fetch.reason };
}

/** AbuseIPDB's list is the same until it is made anew, whatever the order of its entries. */
function isNoNews(feed: FeedDefinition, list: FeedList, known: EarlierFetch): boolean {
  if (feed.kind === "list") return known.sha256 === list.sha256;
  return known.generatedAt !== undefined && list.generatedAt !== undefined && list.generatedAt <= known.generatedAt;
}

function sameAsHeld({ outcome, fetchNo }: EarlierFetch): string | undefined {
  return outcome === "held" ? `it is the list that was held, as fetch ${fetchNo}` : undefined;
}

/** What is bad is measured by what it was: a list that always has some is not refused for them. */
function judgeBadLines(
  list: FeedList,
  taken: EarlierFetch | undefined,
): { readonly kind: "held" | "refused"; readonly reason: string } | undefined {
  const bad = badLines(list.refused);
  const ratio = bad / Math.max(1, list.lines);
  if (bad <= BAD_ALLOWED || ratio <= BAD_RATIO) return undefined;
  const reason = `${bad} of ${list.lines} lines are bad`;
  const before = taken?.details;
  if (before === undefined) return { kind: "held", reason };
  const usual = badLines(before.refused) / Math.max(1, before.lines);
  return ratio <= BAD_GROWTH * usual ? undefined : { kind: "refused", reason };
}

async function judged(
  sql: Sql,
  parts: FeedsParts,
  {
    feed,
    entries,
    list,
    previous,
  }: {
    feed: FeedDefinition;
    entries: readonly FeedEntry[];
    list: FeedList;
    previous: ReadonlySet<FeedEntry["prefix"]>;
  },
): Promise<string[]> {
  const isEmptyByNature = entries.length + list.tooWide.length === 0 && previous.size < EMPTIED_FROM;
  if (isEmptyByNature) return []; // an empty list came so far only where it may be empty
  const wanted = entries.map(({ prefix }) => prefix);
  const facts = { previous, wanted, tooWide: list.tooWide, isEnforced: feed.mode === "enforce" };
  return [...(await parts.judge(sql, facts))];
}

/** The fleet's own addresses are never listed; here they are counted, so that somebody sees it. */
function withoutOwn(list: FeedList, own: ReturnType<FeedsParts["ledger"]["protectedAddresses"]>) {
  const addresses = new Set(own.map(({ address }) => address));
  const met = list.entries.filter(({ prefix }) => addresses.has(prefix));
  if (met.length === 0) return { list, entries: list.entries };
  const lines = met.slice(0, 5).map(({ prefix }) => {
    const problem = `prefix ${prefix}: is an address of the fleet's own`;
    return refusedLine("own-address", { line: 0, text: prefix }, problem);
  });
  const refused = { ...list.refused, "own-address": met.length };
  const counted = { ...list, refused, refusedLines: [...list.refusedLines, ...lines] };
  return { list: counted, entries: list.entries.filter(({ prefix }) => !addresses.has(prefix)) };
}
