/** A feed by URL over a real Postgres and ledger, from a publisher on loopback that says what it is told. */
import type { TestContext } from "node:test";
import { addressesOf } from "./addresses.fixture.ts";
import { defineFeeds } from "./define-feeds.ts";
import type { ListFeed, ListSettings } from "./feed.ts";
import { type FeedStatus, feedStatuses } from "./feed-status.ts";
import { DRIP_MAX, EVERYTHING, SILENCE_MAX, startFeeds, type TestFeeds } from "./feeds.fixture.ts";
import { type Publisher, type Said, startPublisher } from "./publisher.fixture.ts";
import { type Refreshed, refreshFeed } from "./refresh.ts";

export interface TestListFeed extends Pick<TestFeeds, "store" | "ledger" | "parts" | "listed" | "protect" | "now"> {
  readonly publisher: Publisher;
  readonly feed: ListFeed;
  /** By hand, when the publisher says this. */
  fetched(said: Said, feed?: ListFeed): Promise<Refreshed>;
  status(): Promise<FeedStatus>;
}

export const PLAIN: Omit<ListSettings, "at"> = {
  format: "plain",
  columns: { separator: ",", prefix: "1" },
  confidence: 75,
  confidenceMinimum: 0,
  paceSeconds: 0,
  maxBytes: 1 << 20,
  maxEntries: 10_000,
  mayBeEmpty: false,
  oldestSeconds: 0,
};

export function listFeed(settings: Partial<ListSettings> & Pick<ListSettings, "at">): ListFeed {
  return {
    ...{ name: "outside", kind: "list", mode: "enforce", list: "feeds", licence: "own-use", filter: EVERYTHING },
    ...{ everySeconds: 3_600, staleAfterSeconds: 86_400 },
    settings: { ...PLAIN, ...settings },
  };
}

export async function startListFeed(t: TestContext, settings: Partial<ListSettings> = {}): Promise<TestListFeed> {
  const { store, ledger, parts, listed, protect, now } = await startFeeds(t, { entries: [] });
  const publisher = await startPublisher(t);
  const feed = listFeed({ at: { kind: "url", url: publisher.url }, ...settings });
  await defineFeeds(store, [feed]);
  return {
    ...{ store, ledger, parts, listed, protect, now, publisher, feed },
    async fetched(said, wanted = feed) {
      publisher.says(said);
      await store.sql`update feeds set quota = '{}'`; // a refusal's pause is another test's matter
      const bent = said.isSilent ? SILENCE_MAX : said.dripMs === undefined ? parts.limits : DRIP_MAX;
      return await refreshFeed({ ...parts, limits: bent }, wanted, true, new AbortController().signal);
    },
    async status() {
      const status = (await feedStatuses(store.sql, now())).find(({ name }) => name === feed.name);
      if (status === undefined) throw new Error("the feed has no row");
      return status;
    },
  };
}

/** A good list of that many addresses. */
export function goodList(count = 200, first = 0): string {
  return addressesOf(count, first).join("\n");
}
