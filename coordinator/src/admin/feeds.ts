/** Feeds as operators see them, and a fetch by hand, within the feed's quota. */
import { unixMs } from "@fleetban/proto/model/time";
import type { FeedStatus, FetchFeedRequest, FetchFeedResponse } from "@fleetban/proto/wire/admin";
import { feedStatuses } from "../feeds/feed-status.ts";
import { type Refreshed, refreshFeed } from "../feeds/refresh.ts";
import { feedCollisions } from "../guardrails/protections.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

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
    nextAtMs: Math.round(feed.nextAtMs ?? 0),
    outcome: feed.reason === undefined ? feed.outcome : `${feed.outcome}: ${feed.reason}`,
    quotaLimit: feed.quotaLimit,
    quotaUsed: feed.quotaUsed,
    refusedEntries: feed.refusedEntries,
    holdNo: feed.holdNo ?? 0,
    value: undefined,
    collisions: collisions.get(feed.feedNo) ?? "",
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
    const hint = known === "" ? "none is configured; see feeds.abuseipdb in coordinator.yaml" : `there are: ${known}`;
    throw new AdminError("not-found", `feed ${name}: is not configured`, { hint });
  }
  // A fetch that an operator has given up on goes on: the call is spent, its list is wanted.
  const refreshed = await refreshFeed(parts.feeds, feed, true, new AbortController().signal);
  await parts.store.transaction((sql) =>
    recordAct(sql, caller, { act: "feeds fetch", subject: name, after: { ...refreshed } }),
  );
  parts.metrics.auditRecord();
  const status = (await feedMessages(parts)).find((one) => one.name === name);
  return { feed: status, outcome: outcomeText(refreshed) };
}

function outcomeText({ outcome, reason, changed }: Refreshed): string {
  if (outcome === "fetched") return `fetched: ${changed} listings changed`;
  return reason === undefined ? outcome : `${outcome}: ${reason}`;
}
