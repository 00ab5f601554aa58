/** The bad states of a feed, as data. */
import type { UnixMs } from "@fleetban/proto/model/time";
import type { FeedStatus } from "./feed-status.ts";

export type FeedWarnable =
  | "feed-stale"
  | "feed-without-list"
  | "feed-unauthorized"
  | "feed-request-refused"
  | "feed-held";

export interface FeedWarning {
  readonly code: FeedWarnable;
  readonly feed: string;
}

/** A missed turn is no news, two are; the listings themselves still have time then. */
const STALE_AFTER_TURNS = 2;

export function feedWarnings(feeds: readonly FeedStatus[], now: UnixMs): FeedWarning[] {
  return feeds
    .filter((feed) => feed.mode !== "off")
    .flatMap((feed) => codesOf(feed, now).map((code) => ({ code, feed: feed.name })));
}

function codesOf(feed: FeedStatus, now: UnixMs): FeedWarnable[] {
  const codes: FeedWarnable[] = [];
  const oldestMs = now - STALE_AFTER_TURNS * feed.everySeconds * 1_000;
  if (feed.fetchedAtMs !== undefined && feed.fetchedAtMs < oldestMs) codes.push("feed-stale");
  const isTold = feed.outcome === "unauthorized" || feed.outcome === "refused-request" || feed.holdNo !== undefined;
  if (feed.fetchedAtMs === undefined && feed.outcome !== "never" && !isTold) codes.push("feed-without-list");
  if (feed.outcome === "unauthorized") codes.push("feed-unauthorized");
  if (feed.outcome === "refused-request") codes.push("feed-request-refused");
  if (feed.holdNo !== undefined) codes.push("feed-held");
  return codes;
}
