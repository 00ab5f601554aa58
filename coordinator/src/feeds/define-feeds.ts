/** Brings the rows of the feeds to what the configuration says, at the start of a coordinator. */
import { createHash } from "node:crypto";
import type { Store } from "../store/store.ts";
import type { FeedDefinition } from "./feed.ts";
import { type KeptSettings, switchOffOthers, upsertFeed } from "./queries.ts";

/** A feed that changed its mode is looked at in the next turn; what it may no longer list goes off the list then. */
export async function defineFeeds(store: Pick<Store, "transaction">, feeds: readonly FeedDefinition[]): Promise<void> {
  await store.transaction(async (sql) => {
    for (const feed of feeds) await upsertFeed(sql, feed, keptSettings(feed));
    await switchOffOthers(
      sql,
      feeds.map((feed) => feed.name),
    );
  });
}

/** The key itself stays in the configuration; its digest shows when it was changed. */
function keptSettings({ everySeconds, abuseipdb }: FeedDefinition): KeptSettings {
  const { key, ...open } = abuseipdb;
  return { ...open, everySeconds, key: createHash("sha256").update(key).digest("hex").slice(0, 12) };
}
