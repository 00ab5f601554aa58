/** Feeds as operators see them, and a fetch by hand, within the feed's quota. */
import { unixMs } from "@fleetban/proto/model/time";
import type {
  FeedStatus,
  FetchFeedRequest,
  FetchFeedResponse,
  ListFeedPresetsResponse,
  ShowFeedRequest,
  ShowFeedResponse,
} from "@fleetban/proto/wire/admin";
import { defineFeeds } from "../feeds/define-feeds.ts";
import { feedStatuses } from "../feeds/feed-status.ts";
import { recentFetches } from "../feeds/fetch-history.ts";
import { ABUSEIPDB_PRESET, PRESETS } from "../feeds/presets.ts";
import { type Refreshed, refreshFeed } from "../feeds/refresh.ts";
import { feedCollisions } from "../guardrails/protections.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const FETCHES = 10;
const MAX_FETCHES = 1_000;

export async function feedMessages({ store, ledger }: AdminParts): Promise<FeedStatus[]> {
  const statuses = await feedStatuses(store.sql, unixMs(ledger.ledgerTimeMs()));
  const collisions = await feedCollisions(store.sql);
  return statuses.map((feed) => ({
    feedNo: feed.feedNo,
    name: feed.name,
    kind: feed.kind,
    mode: feed.mode,
    entries: feed.entries,
    fetchedAtMs: Math.round(feed.fetchedAtMs ?? 0),
    generatedAtMs: Math.round(feed.generatedAtMs ?? 0),
    nextAtMs: feed.mode === "off" ? 0 : Math.round(feed.nextAtMs ?? 0),
    outcome: feed.reason === undefined ? feed.outcome : `${feed.outcome}: ${feed.reason}`,
    quotaLimit: feed.quotaLimit,
    quotaUsed: feed.quotaUsed,
    refusedEntries: feed.refusedEntries,
    holdNo: feed.holdNo ?? 0,
    value: undefined,
    collisions: collisions.get(feed.feedNo) ?? "",
    list: feed.listName,
    licence: feed.licence,
    at: feed.at,
    refused: Object.entries(feed.refused).map(([kind, count]) => ({ kind, count })),
    everySeconds: feed.everySeconds,
    staleAfterSeconds: feed.staleAfterSeconds,
  }));
}

export async function fetchFeed(
  parts: AdminParts,
  caller: Caller,
  { feed: name }: FetchFeedRequest,
): Promise<FetchFeedResponse> {
  const definitions = parts.feeds.definitions();
  const feed = definitions.find((one) => one.name === name);
  if (feed === undefined) {
    const known = definitions.map((one) => one.name).join(", ");
    const hint = known === "" ? "the policy defines none; see: fleetban feeds presets" : `there are: ${known}`;
    throw new AdminError("not-found", `feed ${name}: is not in the policy in force`, { hint });
  }
  await defineFeeds(parts.store, definitions); // a policy may have come into force this moment
  // A fetch that an operator has given up on goes on: the call is spent, its list is wanted.
  const refreshed = await refreshFeed(parts.feeds, feed, true, new AbortController().signal);
  await parts.store.transaction((sql) =>
    recordAct(sql, caller, { act: "feeds fetch", subject: name, after: { ...refreshed } }),
  );
  parts.metrics.auditRecord();
  const status = (await feedMessages(parts)).find((one) => one.name === name);
  const { outcome: kind } = refreshed;
  return { feed: status, outcome: outcomeText(refreshed), kind, holdNo: status?.holdNo ?? 0 };
}

export async function showFeed(parts: AdminParts, { feed: name, limit }: ShowFeedRequest): Promise<ShowFeedResponse> {
  const { store, ledger } = parts;
  const statuses = await feedStatuses(store.sql, unixMs(ledger.ledgerTimeMs()));
  const status = statuses.find((one) => one.name === name);
  if (status === undefined) {
    const known = statuses.map((one) => one.name).join(", ");
    const hint = known === "" ? "there is none yet; see: fleetban feeds presets" : `there are: ${known}`;
    throw new AdminError("not-found", `feed ${name}: there is none of that name`, { hint });
  }
  const fetches = await recentFetches(store.sql, status.feedNo, Math.min(limit || FETCHES, MAX_FETCHES));
  return {
    feed: (await feedMessages(parts)).find((one) => one.name === name),
    refusedLines: [...status.refusedLines],
    fetches: fetches.map(({ fetchedAt, generatedAt, reason, entries, refused, ...fetch }) => ({
      ...fetch,
      fetchedAtMs: Math.round(fetchedAt),
      generatedAtMs: Math.round(generatedAt ?? 0),
      reason: reason ?? "",
      entries: entries ?? 0,
      refused: refused ?? 0,
    })),
  };
}

export function feedPresets(): ListFeedPresetsResponse {
  const { name, title, mode, everySeconds, staleAfterSeconds, confidenceMinimum, licence, note } = ABUSEIPDB_PRESET;
  const api = { name, title, mode, everySeconds, staleAfterSeconds, licence, note, confidence: confidenceMinimum };
  return {
    presets: [
      { ...api, url: "https://api.abuseipdb.com/api/v2", format: "abuseipdb" },
      ...PRESETS.map(
        ({ name, title, url, format, mode, everySeconds, staleAfterSeconds, confidence, licence, note }) => {
          return { name, title, url, format, mode, everySeconds, staleAfterSeconds, confidence, licence, note };
        },
      ),
    ],
  };
}

function outcomeText({ outcome, reason, changed }: Refreshed): string {
  if (outcome === "fetched") return `fetched: ${changed} listings changed`;
  return reason === undefined ? outcome : `${outcome}: ${reason}`;
}
