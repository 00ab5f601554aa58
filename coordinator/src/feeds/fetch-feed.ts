/** Asks a feed's publisher, whatever its kind; only for what is new, where it can be asked so. */
import { createTurns } from "@fleetban/kit/turns";
import { unixMs } from "@fleetban/proto/model/time";
import { fetchBlacklist } from "./abuseipdb.ts";
import { definitionDigest } from "./define-feeds.ts";
import type { FeedDefinition, FetchAnswer } from "./feed.ts";
import { fetchList } from "./fetch-list.ts";
import type { FetchParts } from "./fetch-parts.ts";
import type { FeedsParts } from "./parts.ts";
import { selectEarlierFetch } from "./queries.ts";

export async function fetchFeed(
  parts: FeedsParts,
  feed: FeedDefinition,
  feedNo: number,
  signal: AbortSignal,
): Promise<FetchAnswer> {
  const fetchParts = fetchPartsOf(parts);
  if (feed.kind === "abuseipdb") return await fetchBlacklist(fetchParts, feed, signal);
  const taken = await selectEarlierFetch(parts.store.sql, feedNo, ["fetched", "approved"]);
  // Read by another definition, the same body may be another list.
  const last = taken?.definition === definitionDigest(feed) ? taken.validators : undefined;
  return await fetchList(fetchParts, feed, last, signal);
}

function fetchPartsOf({ download, readFile, limits, programVersion, ledger, clock }: FeedsParts): FetchParts {
  const nowMs = () => unixMs(ledger.ledgerTimeMs());
  return { download, readFile, limits, programVersion, nowMs, turns: () => createTurns(clock) };
}
